"""Which files there are to read under a path, in order of arrival, and which are left out, each with the reason."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from pyspark.errors import AnalysisException, IllegalArgumentException
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from common.errors import ConfigError, DataRefusedError
from common.landing.files import InputFile
from common.spark.paths import is_on_this_disk, plain_path
from common.spark.times import instant_of
from common.words import as_people_count

# Why a file is left out: as the report for machines says it, and for a person.
EMPTY, UNFINISHED, LINK, DANGLING = "empty", "unfinished", "link", "dangling_link"
SECOND_NAME, NOT_UTF8, REPEATED = "second_name", "name_not_utf8", "repeated"
WHY_LEFT_OUT = {
    EMPTY: "empty",
    UNFINISHED: "not complete yet, by the name",
    LINK: "a link that leads out of the folder; --follow-links allows it",
    DANGLING: "a link that leads nowhere",
    SECOND_NAME: "another name of a file that is read",
    REPEATED: "the content of a file that was loaded",
    NOT_UTF8: "a name that is not UTF-8, which Java cannot open: rename it",
}
# What programs call a file until all of it is there, and what editors leave beside one.
_IS_UNFINISHED = re.compile(
    r"(\.(filepart|part|partial|tmp|temp|crdownload|opdownload|download|downloading|inprogress|in-progress|incomplete"
    r"|unfinished|upload|uploading|writing|copying|swp|swo|swx|lock|lck)|~)$|^~\$",
    re.IGNORECASE,
)
_IS_HIDDEN = ("_", ".")
_WITH_COLON = re.compile(r"Relative path in absolute URI: (.*)")


@dataclass(frozen=True)
class LeftOut:
    """A file that stands under the path and is not read. `other` is the file that it is a link to, or repeats."""

    path: str
    reason: str
    other: str | None = None


@dataclass
class Listing:
    """The files to read, in order of arrival, and those left out."""

    files: list[InputFile]
    left_out: list[LeftOut] = field(default_factory=list)

    def leave_out_empty(self, orders: set[int]) -> None:
        """Take out files that unpack to nothing."""
        self.left_out += [LeftOut(file.path, EMPTY) for file in self.files if file.order in orders]
        self.files = [file for file in self.files if file.order not in orders]


def list_files(spark: SparkSession, path: str, *, follow_links: bool = False) -> Listing:
    """The files that a path, folder (with its sub-folders) or glob stands for. A folder without files is allowed.

    Names that start with `_` or `.` are passed over, as everywhere in Spark. Left out are files without a byte, those
    whose name says that they are not complete, and on a disk of this machine links that lead out of the folder, unless
    `follow_links`. Raises ConfigError where nothing is at the path, or where the path itself is a name that is left
    out; DataRefusedError where a name has a colon.
    """
    listed, all_paths = _listed(spark, path)
    left_out = [LeftOut(empty, EMPTY) for empty in sorted(all_paths - {plain_path(row["path"]) for row in listed})]
    unfinished = {place for place in all_paths if _IS_UNFINISHED.search(_name(place))}
    if path in unfinished:
        raise ConfigError(
            f"{path} has the name of a file that is not complete yet: load it under its own name when it is there."
        )
    if not all_paths and _name(path.rstrip("/")).startswith(_IS_HIDDEN):
        raise ConfigError(f"{path} starts with _ or . and is left out, as everywhere in Spark: rename it.")
    left_out = [each for each in left_out if each.path not in unfinished]
    left_out += [LeftOut(place, UNFINISHED) for place in sorted(unfinished)]
    listed = [row for row in listed if plain_path(row["path"]) not in unfinished]
    if is_on_this_disk(path):
        links = _left_out_links(path, [row["path"] for row in listed], follow_links=follow_links)
        left_out += [*links.values(), *_never_seen(path)]
        listed = [row for row in listed if row["path"] not in links]
    return Listing(_in_order_of_arrival(listed), left_out)


def _listed(spark: SparkSession, path: str) -> tuple[list[Row], set[str]]:
    """What Spark finds, and the paths of all of it: it lists a file without a byte, and reads it as if it were not
    there.
    """
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        found = reader.load(path)
        all_paths = {plain_path(unquote(uri)) for uri in found.inputFiles()}
        for place in all_paths:
            if "://" not in place and ":" in _name(place):
                raise _colon_in(place)
        rows = found.select(
            "path",
            F.col("length").alias("size"),
            F.col("_metadata.file_path").alias("uri"),
            F.unix_micros("modificationTime").alias("modified_micros"),
        ).collect()
        return rows, all_paths
    except AnalysisException as error:
        if error.getCondition() != "PATH_NOT_FOUND":
            raise
        if is_on_this_disk(path) and os.path.islink(path):
            raise ConfigError(f"{path} is a link that leads nowhere, to {os.readlink(path)}.") from error
        raise ConfigError(f"There is no file at {path}.") from error
    except IllegalArgumentException as error:
        found_name = _WITH_COLON.search(str(error))
        if found_name is None:
            raise
        # Hadoop looks at every name of a folder in which a glob is to be found, whether it fits or not.
        raise _colon_in(f"{path.rpartition('/')[0]}/{unquote(found_name[1])}") from error


def _colon_in(path: str) -> DataRefusedError:
    return DataRefusedError(f"{path} has a colon in its name, which Hadoop cannot read: rename it.")


def _in_order_of_arrival(listed: list[Row]) -> list[InputFile]:
    in_order = sorted(listed, key=lambda row: (row["modified_micros"], *as_people_count(row["path"])))
    return [
        InputFile(
            order=order,
            path=plain_path(row["path"]),
            uri=row["uri"],
            size=row["size"],
            modified_at=instant_of(row["modified_micros"]),
        )
        for order, row in enumerate(in_order)
    ]


def _left_out_links(path: str, listed: list[str], *, follow_links: bool) -> dict[str, LeftOut]:
    """Of the files that Spark lists: those that are reached by a link that leads out of the folder that the path names
    (of a glob, the folder before its first special character), and those that are listed under another name too. What
    the path itself names may be a link.
    """
    root = os.path.realpath(_fixed_folder(path))
    left_out: dict[str, LeftOut] = {}
    names: dict[str, list[str]] = {}
    for uri in sorted(listed, key=as_people_count):
        place = plain_path(uri)
        if not uri.startswith("file:") or place == path:
            continue
        real = os.path.realpath(place)
        if follow_links or real.startswith(root.rstrip("/") + "/"):
            names.setdefault(real, []).append(uri)
        else:
            left_out[uri] = LeftOut(place, LINK, real)
    for real, uris in names.items():
        # The file counts under its own name, and where that is not listed, under the first one.
        kept = next((uri for uri in uris if _is_no_link(plain_path(uri), path, root, real)), uris[0])
        for uri in uris:
            if uri != kept:
                left_out[uri] = LeftOut(plain_path(uri), SECOND_NAME, plain_path(kept))
    return left_out


def _is_no_link(place: str, path: str, root: str, real: str) -> bool:
    """Whether there is no link between the folder that is read and the file."""
    return os.path.join(root, os.path.relpath(place, _fixed_folder(path))) == real


def _fixed_folder(path: str) -> str:
    """The folder that a path names without its globs."""
    parts = path.split("/")
    fixed = next((parts[:number] for number, part in enumerate(parts) if re.search(r"[*?\[{\\]", part)), parts)
    return "/".join(fixed) or "/"


def _never_seen(path: str) -> Iterator[LeftOut]:
    """What stands under a path on this disk and Spark passes over in silence: links that lead nowhere, and names that
    are not UTF-8.
    """
    for pattern in _without_braces(path):
        for place in sorted(glob.glob(pattern)):
            yield from _never_seen_at(place)


def _never_seen_at(place: str) -> Iterator[LeftOut]:
    if os.path.islink(place) and not os.path.exists(place):
        yield LeftOut(place, DANGLING, os.readlink(place))
    elif not place.isascii() and not _is_utf8(place):
        yield LeftOut(place, NOT_UTF8)
    elif os.path.isdir(place):
        for name in sorted(os.listdir(place)):
            inside = os.path.join(place, name)
            if not name.startswith(_IS_HIDDEN) and (not os.path.isdir(inside) or not os.path.islink(inside)):
                yield from _never_seen_at(inside)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_braces(pattern: str) -> list[str]:
    """A glob as several that have no {a,b}."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [each for part in found[1].split(",") for each in _without_braces(f"{before}{part}{after}")]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
