"""How the id and the name of a person may be written: for the search, which finds more than what is removed.

Two texts are the same here where they differ only in capitals, accents, forms of a character (a full-width digit),
invisible characters, kinds of spaces, quotes, or separators around them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property

from common.maintenance.person import Person

# They look like nothing, and Unicode calls them letters.
_FILLERS = dict.fromkeys("\u115f\u1160\u3164\uffa0", "")
_SPACES = dict.fromkeys("\u2800\u00b7", " ")
# What stands between values, or around one.
_SEPARATORS = r"\s,;|\"'`\u00b4\u2018-\u201f\u00ab\u00bb=()\[\]{}<>%*"
# A date in a path is no id, whatever its digits.
_DATE = re.compile(r"(?<!\d)\d{4}([-_.])\d{1,2}\1\d{1,2}(?!\d)")


def folded(text: str) -> str:
    """The text as it is compared: what a tab or line break parts stays apart, as by a comma."""
    kept = []
    for char in unicodedata.normalize("NFKD", text):
        category = unicodedata.category(char)
        if category == "Cc":
            kept.append("," if char in "\t\n\r\x0b\x0c" else "")
        elif category[0] == "Z":
            kept.append(" ")
        elif category not in ("Mn", "Cf"):
            kept.append(_FILLERS.get(char, _SPACES.get(char, char)))
    return "".join(kept).casefold()


def words_of(text: str) -> list[str]:
    """The words of a name: letters and digits."""
    return re.findall(r"[^\W_]+", folded(text))


class Spelling:
    """The ways in which one person's id and name are written."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._name_words = words_of(person.name or "")

    def is_id(self, value: str | None) -> bool:
        """Whether a whole value is the id, however it is written."""
        return value is not None and _bare(value) == _bare(self._person.customer_id) != ""

    def is_start_of_id(self, value: str) -> bool:
        """Whether a value that was cut short may be the id."""
        return len(value) >= 32 and self._person.customer_id.startswith(value[:32])

    def is_name(self, value: str | None) -> bool:
        """Whether a whole value is the name, its words in any order."""
        return bool(value and self._name_words) and sorted(words_of(value or "")) == sorted(self._name_words)

    def in_line(self, line: str) -> str | None:
        """What of the person stands in a line or note as a word: "the id", "the name", or None."""
        return self._found(self._id_in_line, folded(line))

    def in_path(self, path: str) -> str | None:
        """The same of a path, whose words stand between any signs."""
        return self._found(self._id_in_path, _DATE.sub("/", folded(path)))

    def _found(self, id_pattern: re.Pattern[str], text: str) -> str | None:
        if id_pattern.search(text):
            return "the id"
        return "the name" if self._name_pattern and self._name_pattern.search(text) else None

    @cached_property
    def _id_in_line(self) -> re.Pattern[str]:
        return self._id_between(_SEPARATORS)

    @cached_property
    def _id_in_path(self) -> re.Pattern[str]:
        return self._id_between(r"\W_")

    def _id_between(self, signs: str) -> re.Pattern[str]:
        # A space or quote may stand in it, as in 1 007.
        parts = [re.escape(char) for char in folded(self._person.customer_id) if char != " "]
        return re.compile(rf"(?:^|(?<=[{signs}])){'[ ]?'.join(parts)}(?=[{signs}]|$)") if parts else _NOTHING

    @cached_property
    def _name_pattern(self) -> re.Pattern[str] | None:
        words = [re.escape(word) for word in self._name_words]
        if not words:
            return None
        orders = {tuple(words), tuple(reversed(words)), (words[-1], *words[:-1])}
        ways = [r"[\W_]+".join(order) for order in sorted(orders)]
        return re.compile(rf"(?<![^\W_])(?:{'|'.join(ways)})(?![^\W_])")


_NOTHING = re.compile(r"(?!)")


def _bare(value: str) -> str:
    """The value without separators, quotes and spaces, wherever they stand."""
    return re.sub(rf"[{_SEPARATORS}]+", "", folded(value))
