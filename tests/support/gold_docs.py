"""The tables of docs/explanation/gold.md, from the contract. This prints them:
`PYTHONPATH=src:tests .venv/bin/python -m support.gold_docs`.
"""

from __future__ import annotations

from common.contract import Relation
from common.contract.gold import SALES_ENRICHED
from common.marts.registry import gold_tables
from support.project import ROOT

DOCS = ROOT / "docs" / "gold.md"
IN_DOCS: tuple[Relation, ...] = (*gold_tables(), SALES_ENRICHED)


def as_markdown(relation: Relation) -> str:
    """What a relation is about, its grain and its columns."""
    rows = [
        f"| `{column.name}` | {column.type}{', may be null' if column.nullable else ''} | {column.comment} |"
        for column in relation.columns
    ]
    return "\n".join([f"## {relation.name}", relation.comment, "", "| column | type | |", "|---|---|---|", *rows])


if __name__ == "__main__":
    print("\n\n".join(map(as_markdown, IN_DOCS)))
