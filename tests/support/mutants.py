"""For each invariant, a change to the code that breaks it, and the test that then fails. Prints them as a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`code` in a file of src, replaced by `instead`, turns `test`, named by its file alone, red."""

    invariant: str
    change: str
    file: str
    code: str
    instead: str
    test: str


MUTANTS = (
    Mutant(
        "1. Equal to a full recompute",
        "a sale that moved changes only the group that it came to",
        "common/marts/aggregate_refresh.py",
        "groups = groups.union(changes.select(*AGGREGATE.key))",
        "groups = groups.union(changes.where(\"_change_type <> 'update_preimage'\").select(*AGGREGATE.key))",
        "test_load_incrementally.py::test_an_unknown_customer_is_completed_and_a_moved_sale_leaves_nothing_behind",
    ),
    Mutant(
        "1. Equal to a full recompute",
        "groups of changed customers stay as they were",
        "common/marts/aggregate_refresh.py",
        "groups = groups.union(groups_of_customers(held, changes))",
        "pass",
        "test_load_incrementally.py::test_an_unknown_customer_is_completed_and_a_moved_sale_leaves_nothing_behind",
    ),
    Mutant(
        "2. Recompute what changed; never add deltas",
        "the aggregate follows only the rows that this run merged, not the versions in its own last commit",
        "jobs/load_sales.py",
        "        self.refresh_aggregate()\n",
        "        if self.customers.changed_rows or self.sales.changed_rows:\n            self.refresh_aggregate()\n",
        "test_other_writers.py::test_of_two_writers_that_saw_the_same_version_one_is_refused",
    ),
    Mutant(
        "2. Recompute what changed; never add deltas",
        "a stray write to the aggregate is taken for a run's",
        "common/lake/provenance.py",
        "(commit for commit in lake.commits(table) if not commit.is_maintenance)",
        "(commit for commit in lake.commits(table) if commit.note)",
        "test_tables.py::test_what_a_stranger_did_to_a_table_is_repaired_and_maintenance_is_no_stranger",
    ),
    Mutant(
        "3. Every row is accounted for",
        "rows that repeat another are dropped before they are counted",
        "common/ingest/outcomes.py",
        'return rows.withColumn("is_duplicate", previous.isNotNull() & previous.eqNullSafe(content))',
        "rows = rows.where(~(previous.isNotNull() & previous.eqNullSafe(content)))\n"
        '    return rows.withColumn("is_duplicate", F.lit(False))',
        "test_changed_rows.py::test_a_history_of_corrections_ends_in_the_rows_that_should_be_in",
    ),
    Mutant(
        "3. Every row is accounted for",
        "a file that changed just before a run is taken for the same ever after",
        "common/ingest/loaded_files.py",
        "return listing_of(files, newest_counts=newest_counts) if is_trusted else None",
        "return listing_of(files, newest_counts=newest_counts)",
        "test_load_incrementally.py::test_files_that_the_last_run_listed_are_known_without_a_look_at_its_record",
    ),
    Mutant(
        "4. A run with nothing new writes nothing",
        "rows that the lake has already are merged once more",
        "common/ingest/outcomes.py",
        'F.col("is_last") & ~is_as_held',
        'F.col("is_last")',
        "test_load_incrementally.py::test_a_second_run_writes_nothing",
    ),
    Mutant(
        "5. A killed run leaves nothing that the next does not finish",
        "what a run that died left of the aggregate is not looked at",
        "jobs/load_sales.py",
        "        self.refresh_aggregate()\n",
        "        if self.customers.changed_rows or self.sales.changed_rows:\n            self.refresh_aggregate()\n",
        "test_crashes.py::test_a_run_that_died_between_two_tables_is_finished_by_the_next",
    ),
    Mutant(
        "5. A killed run leaves nothing that the next does not finish",
        "a log without a commit, of a run that died while it created the table, stays",
        "common/lake/lake.py",
        "remove_log_without_commits(folder)",
        "pass",
        "test_crashes.py::test_a_run_that_died_while_it_created_tables_is_finished_by_the_next",
    ),
    Mutant(
        "6. TRANSACTION_ID is unique over all hours",
        "an id is looked for only in the hour that the new row names",
        "common/ingest/changes.py",
        "return hours_of(lake.read(SALES, version).select(key, HOUR), batch.accepted.select(key))",
        "return hours_of(\n"
        "        lake.read(SALES, version).select(key, HOUR),\n"
        '        batch.accepted.select(key, hour_of(F.col("TRANSACTION_DATE")).alias(HOUR)),\n'
        "    )",
        "test_load_incrementally.py::test_an_unknown_customer_is_completed_and_a_moved_sale_leaves_nothing_behind",
    ),
    Mutant(
        "6. TRANSACTION_ID is unique over all hours",
        "of two writers that saw the same version, both may commit",
        "common/lake/commits.py",
        "if follows is not None:",
        "if False:",
        "test_other_writers.py::test_of_two_writers_that_saw_the_same_version_one_is_refused",
    ),
    Mutant(
        "6. TRANSACTION_ID is unique over all hours",
        "a table that another run made and filled since this one looked is taken for a new one",
        "common/lake/lake.py",
        "if version > 0:",
        "if version < 0:",
        "test_other_writers.py::test_a_table_that_someone_made_and_filled_since_a_run_looked_is_not_written",
    ),
    Mutant(
        "6. TRANSACTION_ID is unique over all hours",
        "an id is looked for in the index of ids, and not in what came after it",
        "common/lake/id_index.py",
        "return held if covered == version else held.union(_came_after(lake, covered, version))",
        "return held",
        "test_id_index.py::test_ids_are_found_without_a_look_at_other_hours",
    ),
    Mutant(
        "6. The order of arrival decides",
        "the row that came first is the one that stays",
        "common/ingest/outcomes.py",
        'by_arrival = Window.partitionBy(*groups).orderBy("file", "block", "position")',
        'by_arrival = Window.partitionBy(*groups).orderBy(F.desc("file"), "block", "position")',
        "test_changed_rows.py::test_a_history_of_corrections_ends_in_the_rows_that_should_be_in",
    ),
    Mutant(
        "6. Absence deletes nothing but in restate",
        "restate leaves the sales that its files do not have",
        "jobs/restate.py",
        "self.removed = removed.select(*SALES.column_names)",
        "self.removed = removed.select(*SALES.column_names).limit(0)",
        "test_restate.py::test_a_range_is_restated_from_files_as_planned_and_twice_is_as_good_as_once",
    ),
    Mutant(
        "6. Uniqueness, and which row counts",
        "a row that comes later counts, though a newer one came before it",
        "common/ingest/sequences.py",
        'is_behind = F.coalesce(F.col("known_sequence") > F.col("top"), F.lit(False))',
        "is_behind = F.lit(False)",
        "test_sequences.py::test_any_order_of_some_files",
    ),
    Mutant(
        "7. Cost follows the change",
        "a MERGE does not name the hours that it touches",
        "common/lake/lake.py",
        'on.append(hours_condition(f"target.{HOUR}", hours))',
        "pass",
        "test_touched_hours.py::test_a_merge_of_sales_opens_no_file_of_another_hour",
    ),
    Mutant(
        "Every reader sees the same hour",
        "the session keeps the time zone of the machine",
        "common/spark/session.py",
        'if not set_property(spark, _TIME_ZONE, "UTC"):',
        "if False:",
        "test_time_zones.py::test_two_hours_with_one_name_on_the_clock_of_the_session_stay_two",
    ),
    Mutant(
        "Gold equals a full recompute",
        "hours that have changed are not recomputed in sales_hourly",
        "common/marts/mart.py",
        "touched = hours_condition(HOUR, hours)",
        'touched = "false"',
        "test_gold.py::test_gold_follows_late_rows_corrections_and_customers",
    ),
    Mutant(
        "Forecasts equal a full recompute",
        "a late sale changes no forecast until a day is completed",
        "common/marts/forecast_refresh.py",
        "changes.where(is_whole)",
        "changes.where(~is_whole)",
        "test_forecast_sales.py::test_every_cell_is_as_plain_lists_give_it_and_follows_what_happens",
    ),
    Mutant(
        "6. A correction is applied",
        "corrections are added beside the rows that they correct",
        "common/ingest/changes.py",
        "if not decision.replaced_rows:",
        "if decision.changed_rows:",
        "test_changed_rows.py::test_a_history_of_corrections_ends_in_the_rows_that_should_be_in",
    ),
    Mutant(
        "An older lake is brought to the format of now",
        "a table counts as brought there before it has been changed",
        "common/lake/upgrade.py",
        "    yield from lacking(lake, table, number)\n",
        "",
        "test_lake_formats.py::test_an_upgrade_that_was_killed_is_finished_by_the_next_run",
    ),
    Mutant(
        "A guest is no customer",
        "the guest has a row among customers",
        "common/marts/gold.py",
        ".where(~_is_guest())",
        "",
        "test_returns_and_guests.py::test_gold_has_gross_returned_and_net_and_guests_in_no_row_of_customers",
    ),
    Mutant(
        "A damaged lake is refused",
        "no look at the files before a run",
        "common/run/job.py",
        "self.lake.check_files((*TABLES, *OPTIONAL_TABLES))",
        "pass",
        "test_damaged_lakes.py::test_a_damaged_file_is_named_and_the_repair_that_is_named_works",
    ),
    Mutant(
        "A commit is on disk before a later step rests on it",
        "data files are not flushed",
        "common/lake/file_checks.py",
        'for kind in ("add", "cdc"):',
        "for kind in ():",
        "test_damaged_lakes.py::test_a_commit_is_on_disk_before_a_later_step_rests_on_it",
    ),
    Mutant(
        "One run at a time",
        "the lock is not asked for",
        "common/lake/lock.py",
        "if not try_lock(file):",
        "if False:",
        "test_refused_runs.py::test_a_second_run_on_the_same_lake_says_who_holds_it",
    ),
    Mutant(
        "A forgotten customer is nowhere",
        "data files of older versions stay",
        "common/maintenance/forgetting.py",
        "        vacuum(lake, table, retain_hours=0)\n",
        "        pass\n",
        "test_forget_customer.py::test_a_customer_is_forgotten_everywhere_and_does_not_come_back",
    ),
    Mutant(
        "A forgotten customer does not come back",
        "rows of forgotten customers are not refused",
        "common/ingest/forgotten.py",
        "F.coalesce(is_forgotten | is_written_oddly, F.lit(False))",
        "F.lit(False)",
        "test_forget_customer.py::test_a_customer_is_forgotten_everywhere_and_does_not_come_back",
    ),
    Mutant(
        "To forget a customer takes nothing from others",
        "a line that names a customer beside the name is taken for the person's",
        "common/maintenance/rejected_lines.py",
        'how="left_anti"',
        'how="left"',
        "test_forget_customer.py::test_of_lines_that_are_not_certain_none_is_taken_from_others_and_each_is_shown",
    ),
    Mutant(
        "What may be left of a forgotten customer is shown",
        "the search knows an id only as it is removed, to the letter",
        "common/maintenance/spelling.py",
        '_bare(value) == _bare(self._person.customer_id) != ""',
        "value == self._person.customer_id",
        "test_forget_customer.py::test_of_lines_that_are_not_certain_none_is_taken_from_others_and_each_is_shown",
    ),
    Mutant(
        "What differs is found",
        "verify_aggregate compares no values",
        "common/audit/checks.py",
        '(~stored.eqNullSafe(expected)).alias("differs")',
        'F.lit(False).alias("differs")',
        "test_verify_aggregate.py::test_what_a_stranger_did_to_the_aggregate_is_named_with_both_values",
    ),
)


def as_table() -> str:
    """The mutants as a Markdown table."""
    rows = [f"| {m.invariant} | {m.change} (`{m.file}`) | `{m.test.partition('::')[2]}` |" for m in MUTANTS]
    return "\n".join(["| invariant | change to the code | test that fails |", "|---|---|---|", *rows])


if __name__ == "__main__":
    print(as_table())
