"""Which hours a sale's id may be in, looked up in a few files instead of in those of every hour.

`sale_ids` belongs to the version of the sales that its own last commit names. What came after that is in the change
feed of the sales. Where there is no index, or its past is not clearly ours, every hour is looked through.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contract import HOUR, SALE_IDS, SALES
from common.lake.commit_note import CommitNote, TableVersion
from common.lake.commits import Commit
from common.lake.lake import Lake
from common.lake.provenance import Unclear, last_note, why_unclear
from common.spark.failures import SPARK_ERRORS


def hours_by_id(lake: Lake, version: int) -> DataFrame | None:
    """One row or more per id that the sales hold at a version: the hash of the id, and an hour that it is in or was in.
    None where the index cannot tell.
    """
    covered = _covered(lake, version)
    if covered is None:
        return None
    held = lake.read(SALE_IDS, lake.version(SALE_IDS))
    return held if covered == version else held.union(_came_after(lake, covered, version))


def extend(lake: Lake, note: CommitNote) -> Commit | None:
    """Have the index cover the newest version of the sales, in one commit or none; makes it where it is not there."""
    version = lake.version(SALES)
    assert version is not None
    covered = _covered(lake, version)
    if covered == version:
        return None
    if covered is not None:
        # Where the changes can no longer be read, it is made anew.
        with suppress(*SPARK_ERRORS):
            return lake.insert_missing(SALE_IDS, _came_after(lake, covered, version), note=_noted(lake, note))
    return make_anew(lake, note)


def make_anew(lake: Lake, note: CommitNote) -> Commit | None:
    """Have the index hold the ids of the newest version of the sales, and no others."""
    lake.create([SALE_IDS])
    return lake.overwrite(SALE_IDS, hashed(lake.read(SALES, lake.version(SALES))), note=_noted(lake, note))


def id_hash(key: str) -> Column:
    """A hash of an id, under which the index has it: two ids may share one, and then an hour is looked into in vain."""
    return F.xxhash64(key).alias("id_hash")


def missing(lake: Lake) -> tuple[int, int] | None:
    """How many ids of the sales the index lacks at the version that it covers, and how many there are; None where no
    run relies on it.
    """
    newest = lake.version(SALES)
    covered = None if newest is None else _covered(lake, newest)
    if covered is None:
        return None
    ids = hashed(lake.read(SALES, covered))
    held = lake.read(SALE_IDS, lake.version(SALE_IDS))
    return ids.join(held, on=held.columns, how="left_anti").count(), ids.count()


def hashed(sales: DataFrame) -> DataFrame:
    """The rows of the index for some sales, each once."""
    return sales.select(id_hash("TRANSACTION_ID"), HOUR).distinct()


def _noted(lake: Lake, note: CommitNote) -> CommitNote:
    """The note of a run, for a commit that has the index cover the newest version of the sales."""
    sales = lake.newest(SALES)
    assert sales is not None
    made_of = {SALES.name: TableVersion(sales.version, sales.at.isoformat())}
    return replace(note, logic_version=SALE_IDS.logic_version, made_of=made_of)


def _came_after(lake: Lake, covered: int, version: int) -> DataFrame:
    came = lake.changes(SALES, covered, version).where("_change_type IN ('insert', 'update_postimage')")
    return hashed(came)


def _covered(lake: Lake, version: int) -> int | None:
    """The version of the sales up to which the index has every id; None where there is no index to rely on."""
    last = last_note(lake, SALE_IDS)
    if isinstance(last, Unclear):
        return None
    covered = last.made_of[SALES.name]
    return None if why_unclear(lake, SALES, covered, version) else covered.version
