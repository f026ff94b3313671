"""The command line of a job: one long option per setting that it has, and one sentence where an argument is wrong."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from pydantic.fields import FieldInfo

from common.errors import ConfigError
from common.run.shared_settings import PREFIX, Settings, Shown

_GROUPS = ("input", "lake", "checks", "what to do", "output")
_OF_EVERY_JOB = f"""\
A setting comes from conf/<NAME>.yml, a variable such as {PREFIX}LAKE, or an option; the later one counts.
An option without a value is turned off by --no- before its name: --no-json.
Options of spark-submit itself (--master, --conf, ...) may stand among these.
Exit codes: 0 success, 1 failure, 2 bad usage or configuration, 3 data refused, 4 lake busy,
5 the lake is not what it should be (verify_aggregate)."""


class Parser(argparse.ArgumentParser):
    """Raises ConfigError where argparse prints a page of usage. What is not given stays out of the result."""

    def __init__(self, job: str, description: str, example: str, *, notes: str = "") -> None:
        command = f"./spark-submit.sh {job}"
        super().__init__(
            prog=command,
            usage=f"{command} [OPTIONS]",
            description=description.strip(),
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=32),
            epilog="\n\n".join(part for part in (f"example:\n  {command} {example}", notes) if part),
        )

    def parse(self, argv: Sequence[str] | None) -> dict[str, Any]:
        """The options that are given, by the setting's key; `argv` None are the program's own arguments."""
        arguments = list(sys.argv[1:] if argv is None else argv)
        found, unknown = self.parse_known_args(arguments)
        if unknown:
            raise ConfigError(self._refusal(unknown[0], arguments))
        return vars(found)

    def error(self, message: str) -> NoReturn:
        needs_value = re.fullmatch(r"argument (\S+): expected one argument", message)
        if needs_value:
            raise ConfigError(f"{needs_value[1]} needs a value.")
        takes_none = re.fullmatch(r"argument (\S+): ignored explicit argument '(.*)'", message)
        if takes_none:
            raise ConfigError(f"{takes_none[1]} takes no value: leave out ={takes_none[2]}.")
        no_number = re.fullmatch(r"argument (\S+): invalid int value: '(.*)'", message)
        if no_number:
            raise ConfigError(f"{no_number[1]}: {no_number[2]} is no whole number.")
        raise ConfigError(message)

    def _refusal(self, unknown: str, arguments: list[str]) -> str:
        if unknown.startswith("-"):
            option = unknown.partition("=")[0]
            options = [name for name in self._option_string_actions if name.startswith("--")]
            close = get_close_matches(option, options, n=1, cutoff=0.75)
            return f"There is no option {option}" + (f": did you mean {close[0]}?" if close else "; see --help.")
        before = [option for option in arguments[: arguments.index(unknown)] if option.startswith("--")]
        if not before or not re.search(r"[./]", unknown):
            return f"{unknown} belongs to no option; see --help."
        option = before[-1].partition("=")[0]
        return (
            f"{option} takes one path, and {unknown} is one more. Put globs in quotes, so that the shell leaves them "
            f"as they are: {option} 'folder/*.csv'."
        )


def argument_parser(job: str, description: str, settings: type[Settings]) -> Parser:
    """The parser of a job, with one long option per setting."""
    parser = Parser(job, description, settings.example, notes=_OF_EVERY_JOB)
    # The order in which --help shows them.
    groups = {"": parser, **{name: parser.add_argument_group(name) for name in _GROUPS if name in _groups_of(settings)}}
    # What is the job's own comes first in its group.
    for name in sorted(settings.model_fields, key=lambda name: name not in settings.__annotations__):
        info = settings.model_fields[name]
        key, shown = info.alias or name, shown_as(info)
        option, group = option_of(key), groups[shown.group]
        if info.annotation is bool:
            group.add_argument(option, dest=key, action="store_true", help=info.description)
            group.add_argument(f"--no-{option[2:]}", dest=key, action="store_false", help=argparse.SUPPRESS)
        else:
            group.add_argument(option, dest=key, metavar=shown.value, help=_help_of(info))
    return parser


def option_of(key: str) -> str:
    """The option of a setting."""
    return "--" + key.replace("_", "-")


def shown_as(info: FieldInfo) -> Shown:
    """How --help shows a setting."""
    return next(shown for shown in info.metadata if isinstance(shown, Shown))


def _groups_of(settings: type[Settings]) -> set[str]:
    return {shown_as(info).group for info in settings.model_fields.values()}


def _help_of(info: FieldInfo) -> str:
    if info.is_required():
        return f"{info.description} (required)"
    return str(info.description) if info.default is None else f"{info.description} (default: {info.default})"
