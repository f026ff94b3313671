"""What a commit says of itself is read back as it was written, by this version of the code and by the ones before."""

from __future__ import annotations

import json

import pytest

from common.contract import CUSTOMERS, SALES
from common.lake.commit_note import CommitNote, TableVersion

# As the releases before this class wrote them.
OF_A_LOAD = (
    '{"follows": 3, "job": "load_sales", "ledger": {"new": 7, "rows_read": 7}, "logic_version": 1, "run_id": "r1"}'
)
OF_THE_AGGREGATE = (
    '{"customers_at": "2025-02-22T09:00:00+00:00", "customers_version": 2, "follows": 4, "job": "load_sales", '
    '"logic_version": 1, "run_id": "r1", "sales_at": "2025-02-22T09:00:01+00:00", "sales_version": 3}'
)
OF_THE_INDEX = (
    '{"follows": 0, "job": "maintain", "logic_version": 1, "run_id": "r2", '
    '"sales_at": "2025-02-22T09:00:01+00:00", "sales_version": 3}'
)
OF_A_RUN = (
    '{"follows": 5, "job": "load_sales", "listed": {"customers": null, "transactions": "ab"}, "run_id": "r1", '
    '"versions": {"customers": 2, "sales_data_partitioned": 3}}'
)


@pytest.mark.parametrize("text", [OF_A_LOAD, OF_THE_AGGREGATE, OF_THE_INDEX, OF_A_RUN])
def test_a_note_of_an_earlier_release_is_read_and_written_as_it_was(text: str) -> None:
    note = CommitNote.from_json(text)
    assert note is not None
    assert json.loads(note.to_json()) == json.loads(text)


def test_a_note_says_what_a_table_was_made_of() -> None:
    note = CommitNote.from_json(OF_THE_AGGREGATE)
    assert note is not None
    assert note.made_of == {
        SALES.name: TableVersion(3, "2025-02-22T09:00:01+00:00"),
        CUSTOMERS.name: TableVersion(2, "2025-02-22T09:00:00+00:00"),
    }


@pytest.mark.parametrize("text", [None, "", "{}", "[]", "7", "no JSON", '{"run_id": 7}', '{"job": "load_sales"}'])
def test_what_is_no_note_of_ours_is_none(text: str | None) -> None:
    assert CommitNote.from_json(text) is None
