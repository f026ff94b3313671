"""The feeds and tables of the lake: columns, keys and grain. The tables of the gold layer are in gold.py.

Times are UTC instants, money is DECIMAL, and names follow the feeds: upper case where a column comes from a CSV
file, lower case where the lake adds it. See docs/explanation/design.md for what is always true of these tables.
"""

from __future__ import annotations

from common.contract.model import GUEST, HOUR, IS_WHOLE_HOUR, MONEY, Column, Feed, Table

# Raised when the meaning of customer_aggregated_data changes: an aggregate written by another version is
# recomputed whole by the next run. Each gold table has one of its own.
LOGIC_VERSION = 1

TRANSACTIONS = Feed(
    name="transactions",
    key="TRANSACTION_ID",
    columns=(
        Column("TRANSACTION_ID", "string", "Identifies the sale, over all hours"),
        Column(
            "CUSTOMER_ID",
            "string",
            f"Who bought; may be unknown to the customers table for a while; {GUEST} for nobody that is known",
        ),
        Column("PRODUCT_ID", "string", "What was bought"),
        Column("QUANTITY", "int", "Units sold; below 0 where they were returned; never 0"),
        Column("PRICE", MONEY, "Money per unit"),
        Column("TRANSACTION_DATE", "timestamp", "When the sale happened, a UTC instant"),
    ),
)

CUSTOMERS_FEED = Feed(
    name="customers",
    key="CUSTOMER_ID",
    columns=(
        Column("CUSTOMER_ID", "string", "Identifies the customer"),
        Column("NAME", "string", "Full name (personal data)", nullable=True, personal=True),
        Column("AGE", "int", "Age in years (personal data)", nullable=True, personal=True),
        Column("COUNTRY", "string", "Country name", nullable=True),
    ),
)

SALES = Table(
    name="sales_data_partitioned",
    about="Sales as they stand, corrections applied",
    grain="One row per TRANSACTION_ID",
    columns=(*TRANSACTIONS.columns, Column(HOUR, "timestamp", "The UTC hour in which the sale happened")),
    key=("TRANSACTION_ID",),
    stats=("TRANSACTION_ID", "PRODUCT_ID", "TRANSACTION_DATE"),
    partitioned_by=(HOUR,),
    constraints=(
        ("quantity_is_not_zero", "QUANTITY <> 0"),
        ("price_is_not_negative", "PRICE >= 0"),
        (
            "transaction_hour_is_the_hour_of_the_sale",
            f"{IS_WHOLE_HOUR} AND unix_seconds(TRANSACTION_DATE) - unix_seconds({HOUR}) BETWEEN 0 AND 3599",
        ),
    ),
    change_feed=True,
)

CUSTOMERS = Table(
    name="customers",
    about="Customers as they are today",
    grain="One row per CUSTOMER_ID",
    columns=CUSTOMERS_FEED.columns,
    key=("CUSTOMER_ID",),
    stats=(),
    constraints=(("age_is_not_negative", "AGE IS NULL OR AGE >= 0"),),
    change_feed=True,
)

AGGREGATE = Table(
    name="customer_aggregated_data",
    about="What each customer bought of each product, by hour",
    grain="One row per CUSTOMER_ID, PRODUCT_ID and transaction_hour",
    columns=(
        Column("CUSTOMER_ID", "string", f"Who bought; {GUEST} for all sales without a customer together"),
        Column("NAME", "string", "Today's name of the customer (personal data)", nullable=True, personal=True),
        Column("AGE", "int", "Today's age of the customer (personal data)", nullable=True, personal=True),
        Column("COUNTRY", "string", "Today's country of the customer; null while unknown", nullable=True),
        Column("PRODUCT_ID", "string", "What was bought"),
        Column("QUANTITY", "bigint", "Net units of this hour: bought less returned; may be 0 or below"),
        Column(
            "PRICE",
            "decimal(22,6)",
            "Money per net unit: AMOUNT / QUANTITY, rounded half up, so below 0 where these have different signs; null "
            "where QUANTITY is 0, or where it has more than 16 digits before the point",
            nullable=True,
        ),
        Column(HOUR, "timestamp", "The UTC hour of the sales"),
        Column("AMOUNT", "decimal(38,2)", "Net money of this hour: exact sum of quantity x price; may be below 0"),
        Column("TRANSACTION_COUNT", "bigint", "Sales and returns in this hour, each a TRANSACTION_ID"),
    ),
    key=("CUSTOMER_ID", "PRODUCT_ID", HOUR),
    stats=("PRODUCT_ID",),
    partitioned_by=(HOUR,),
    constraints=(
        ("no_net_units_have_no_price", "QUANTITY <> 0 OR PRICE IS NULL"),
        # A price of more digits than the column holds: rounded, it is 10^16 or more.
        (
            "net_units_have_a_price",
            "QUANTITY = 0 OR PRICE IS NOT NULL OR abs(AMOUNT) > abs(QUANTITY) * 9999999999999999BD",
        ),
        ("transaction_count_is_positive", "TRANSACTION_COUNT > 0"),
        ("transaction_hour_is_a_whole_hour", IS_WHOLE_HOUR),
    ),
    computed_from=(SALES.name, CUSTOMERS.name),
    kept_by="load_sales",
    logic_version=LOGIC_VERSION,
)

REJECTED = Table(
    name="rejected_rows",
    about="Input rows that broke a rule, with every reason",
    grain="One row per rejected input row",
    columns=(
        Column("rejected_id", "string", "SHA-256 of feed, file, content of the file, line number and raw line"),
        Column("feed", "string", "transactions or customers"),
        Column("file", "string", "The file as it was read"),
        Column("line_number", "bigint", "First line of the row in its file; the header is line 1"),
        Column("header", "string", "The first line of that file, by which the row is read"),
        Column("raw_line", "string", "The row as it stood in the file (may hold personal data)", personal=True),
        Column("reasons", "array<string>", "Every rule that the row breaks, by its name in conf/quality.yml"),
        Column("run_id", "string", "The run that rejected it"),
        Column("rejected_at", "timestamp", "When that run started"),
    ),
    key=("rejected_id",),
    stats=("rejected_id", "feed", "file", "line_number", "run_id"),
)

RUNS = Table(
    name="pipeline_runs",
    about="What each run read, counted and wrote",
    grain="One row per run",
    columns=(
        Column("run_id", "string", "Identifies the run; also in the commits it made"),
        Column("job", "string", "The job that ran"),
        Column("started_at", "timestamp", "When it started"),
        Column("finished_at", "timestamp", "When its last table was written"),
        Column("settings_hash", "string", "SHA-256 of its settings and quality rules"),
        Column("logic_version", "int", "Version of the aggregate's meaning"),
        Column(
            "feeds",
            "array<struct<feed:string,files:bigint,files_skipped:bigint,rows_read:bigint,new:bigint,corrected:bigint,"
            "unchanged:bigint,duplicate:bigint,rejected:bigint>>",
            "The ledger: rows_read = new + corrected + unchanged + duplicate + rejected",
        ),
        Column("rejected_by_reason", "map<string,bigint>", "Rows rejected, by rule; a row may break several"),
        Column("warnings", "map<string,bigint>", "Rows kept that broke a rule of criticality warn, by rule"),
        Column("hours_touched", "bigint", "Hours of the aggregate that were recomputed"),
        Column(
            "rows_removed",
            "map<string,bigint>",
            "Rows taken away, by table; see restate, release_rejected, forget_customer",
        ),
        Column("unknown_customer_rows", "bigint", "Sales read in this run whose customer is not known yet"),
        Column(
            "tables",
            "array<struct<table:string,version_read:bigint,version_written:bigint>>",
            "Delta versions before and after; the same where nothing was written",
        ),
        Column(
            "files",
            "array<struct<feed:string,path:string,size:bigint,modified_at:timestamp,fingerprint:string>>",
            "The files that were loaded; they are not loaded again",
        ),
    ),
    key=("run_id",),
    stats=("run_id", "started_at"),
)

FORGOTTEN = Table(
    name="forgotten_customers",
    about="Customers whose rows are rejected for good",
    grain="One row per customer who was forgotten",
    columns=(
        Column("customer_hash", "string", "SHA-256 of the CUSTOMER_ID, by which its rows are rejected from then on"),
        Column("forgotten_at", "timestamp", "When the customer was first forgotten"),
    ),
    key=("customer_hash",),
    stats=(),
)

SALE_IDS = Table(
    name="sale_ids",
    about="An index of ids, up to the version of sales_data_partitioned that its last commit names",
    grain="One row per id of a sale, as a hash, and hour that the sale is or was in",
    columns=(
        Column("id_hash", "bigint", "xxhash64 of the TRANSACTION_ID"),
        Column(HOUR, "timestamp", "An hour in which the sale is, or was before it was corrected"),
    ),
    key=("id_hash", HOUR),
    stats=(),
    computed_from=(SALES.name,),
    kept_by="maintain",
    logic_version=1,
)

ROW_SEQUENCES = Table(
    name="row_sequences",
    about="The highest sequence that each id came with, of feeds that are described with sequence_by",
    grain="One row per feed and id",
    columns=(
        Column("feed", "string", "transactions or customers"),
        Column("key_hash", "string", "SHA-256 of the id"),
        Column("sequence", "string", "The highest sequence of its rows, as text that sorts as it counts"),
        Column(
            "content_hash",
            "bigint",
            "xxhash64 of the values of the row with it; null where rows with it contradict each other, and none counts",
            nullable=True,
        ),
    ),
    key=("feed", "key_hash"),
    stats=(),
)

# What load_sales makes; the others come with the job that needs them.
TABLES = (SALES, CUSTOMERS, AGGREGATE, REJECTED, RUNS)

# Those that load_sales reads where they are there.
OPTIONAL_TABLES = (FORGOTTEN, SALE_IDS, ROW_SEQUENCES)
