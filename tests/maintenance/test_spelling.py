"""How a search finds a person whose id or name is written in another way, and whom it does not take for one."""

from __future__ import annotations

import pytest

from common.maintenance.person import Person
from common.maintenance.spelling import Spelling

ZOE = Spelling(Person("c-1007", "Quillfeather, Zoë"))
NUMBER = Spelling(Person("1007", "Omar Reed"))
SHORT = Spelling(Person("1", None))


@pytest.mark.parametrize(
    "value",
    [
        "1007",
        "\u00a01007",
        "10\u200b07",
        "1\u00ad007\ufeff",
        "'1007';",
        '"1007"',
        "1 007",
        "1\u202f007",
        "\uff11\uff10\uff10\uff17",
        "1007\ufe0f",
        "\t1007",
    ],
)
def test_an_id_is_known_in_another_spelling(value: str) -> None:
    assert NUMBER.is_id(value)
    assert NUMBER.in_line(f"t1,{value},p1,2")


@pytest.mark.parametrize("value", ["", None, "10070", "01007", "1-007", "x1007", "1007x", "10.07"])
def test_another_id_is_another(value: str | None) -> None:
    assert not NUMBER.is_id(value)
    assert not NUMBER.in_line(f"t1,{value},p1,2")


@pytest.mark.parametrize(
    "name", ["Omar Reed", "Reed, Omar", "OMAR  REED", "Omar\u00a0Reed", "Ömar Rééd", "Omar\u200b Reed"]
)
def test_a_name_is_known_in_another_spelling(name: str) -> None:
    assert NUMBER.is_name(name)
    assert NUMBER.in_line(f'104,"{name}",1x,Peru') == "the name"


@pytest.mark.parametrize("name", ["Omar Reedham", "Omar", "Reed", "Omar J Reed", "OmarReed", "", None])
def test_another_name_is_another(name: str | None) -> None:
    assert not NUMBER.is_name(name)
    assert not NUMBER.in_line(f"104,{name},1x,Peru")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/in/Zoe_Quillfeather.csv", "the name"),
        ("/in/export-c-1007.csv", "the id"),
        ("/in/C\u20111007/sales.csv", None),
        ("/in/quillfeather-zoë 2025.csv", "the name"),
        ("/in/Zoe/Quill.csv", None),
        ("/in/c-10071.csv", None),
    ],
)
def test_a_path_has_words_between_any_signs(path: str, found: str | None) -> None:
    assert ZOE.in_path(path) == found


@pytest.mark.parametrize(
    ("path", "found"), [("/in/sales_1.csv", "the id"), ("/in/sales-2025-01-1.csv", None), ("/in/sales_11.csv", None)]
)
def test_a_date_in_a_path_is_no_id(path: str, found: str | None) -> None:
    assert SHORT.in_path(path) == found


def test_a_time_or_a_part_of_a_word_in_a_line_is_no_id() -> None:
    assert not Spelling(Person("10", None)).in_line("t10 c-10 2025-02-10 10:10:10 10.00")
