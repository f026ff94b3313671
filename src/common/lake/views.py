"""Views of a lake in a catalog. A lake in a folder has no place for one."""

from __future__ import annotations

from pyspark.errors import AnalysisException

from common.contract import View
from common.lake.commits import IS_MISSING
from common.lake.ddl import create_view_statement
from common.lake.lake import Lake


def define_view(lake: Lake, view: View, query: str, *, only_look: bool) -> bool:
    """Have a view be this query, with its comments; returns whether it was not, or with `only_look` is not."""
    expected = [(column.name, column.comment) for column in view.columns], view.comment, query
    if _described(lake, view) == expected:
        return False
    if not only_look:
        lake.spark.sql(create_view_statement(lake.name(view), view, query))
    return True


def _described(lake: Lake, view: View) -> tuple[list[tuple[str, str | None]], str | None, str | None] | None:
    """Columns with their comments, comment and query of a view, by the catalog; None where there is no view."""
    try:
        rows = lake.spark.sql(f"DESCRIBE TABLE EXTENDED {lake.name(view)}").collect()
    except AnalysisException as error:
        if error.getCondition() in IS_MISSING:
            return None
        raise
    # The columns come first, then an empty line, then what is known of the whole.
    end = next((number for number, row in enumerate(rows) if not row["col_name"]), len(rows))
    columns = [(row["col_name"], row["comment"]) for row in rows[:end]]
    known = {row["col_name"]: row["data_type"] for row in rows[end:]}
    return columns, known.get("Comment"), known.get("View Text")
