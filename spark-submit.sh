#!/usr/bin/env bash
# The one door to every job:  ./spark-submit.sh [JOB] [options]
#
# JOB is load_sales unless named. Options of spark-submit itself (--master, --deploy-mode, --conf, --properties-file, ...)
# may stand among the job's and are handed to it. Without --transactions and --customers, a sample is made in ./data.
set -euo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

jobs() {
    local file
    for file in "$home"/src/jobs/[a-z]*.py; do
        basename "$file" .py
    done
}

job=load_sales
case "${1:-}" in
"" | -*) ;;
*)
    job=$1
    shift
    if [ ! -f "$home/src/jobs/$job.py" ]; then
        echo "spark-submit.sh: there is no job $job; there are: $(jobs | paste -sd, - | sed 's/,/, /g')." >&2
        exit 2
    fi
    ;;
esac

spark_options=()
job_options=()
env_name=${SALES_LAKEHOUSE_ENV:-local}
master=""
properties=""
more_jars=""
more_py_files=""
more_class_path=""
wants_help=no
has_inputs=no
is_dry_run=no
# Where a garbage collector is named already, Java refuses a second one.
java_collector="${JAVA_TOOL_OPTIONS:-} ${JDK_JAVA_OPTIONS:-} "

while [ $# -gt 0 ]; do
    option=$1
    shift
    # --a=b and --a b are the same.
    value=""
    has_value=no
    case "$option" in
    --*=*)
        value=${option#*=}
        option=${option%%=*}
        has_value=yes
        ;;
    esac
    case "$option" in
    --master | --deploy-mode | --name | --conf | -c | --properties-file | --driver-memory | --driver-cores | \
        --driver-class-path | --driver-library-path | --driver-java-options | --executor-memory | --executor-cores | \
        --num-executors | --total-executor-cores | --queue | --jars | --packages | --exclude-packages | \
        --repositories | --files | --archives | --py-files | --principal | --keytab | --proxy-user)
        if [ "$has_value" = no ]; then
            if [ $# -eq 0 ]; then
                echo "spark-submit.sh: $option needs a value." >&2
                exit 2
            fi
            value=$1
            shift
        fi
        case "$value" in *"{{"*)
            echo "spark-submit.sh: $option: $value still holds a placeholder that nobody filled in." >&2
            exit 2
            ;;
        esac
        java_collector="$java_collector$value"
        case "$option" in
        --properties-file) properties=$value ;;
        --jars) more_jars=$value ;;
        --py-files) more_py_files=$value ;;
        --driver-class-path) more_class_path=$value ;;
        *)
            [ "$option" = --master ] && master=$value
            case "$option=$value" in --conf=spark.master=* | -c=spark.master=*) master=${value#*=} ;; esac
            spark_options+=("$option" "$value")
            ;;
        esac
        ;;
    --verbose | --supervise | --load-spark-defaults)
        spark_options+=("$option")
        ;;
    *)
        [ "$option" = --help ] || [ "$option" = -h ] && wants_help=yes
        case "$option" in
        --transactions | --customers) has_inputs=yes ;;
        --dry-run) is_dry_run=yes ;;
        esac
        if [ "$option" = --env ]; then
            if [ "$has_value" = yes ]; then env_name=$value; else env_name=${1:-}; fi
        fi
        if [ "$has_value" = yes ]; then job_options+=("$option=$value"); else job_options+=("$option"); fi
        ;;
    esac
done

# shellcheck source=setup.sh
source "$home/setup.sh" requirements.lock
export SALES_LAKEHOUSE_CONF_DIR=${SALES_LAKEHOUSE_CONF_DIR:-$home/conf}
export SPARK_CONF_DIR=${SPARK_CONF_DIR:-$home/conf}
export PYTHONPATH="$home/src${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONDONTWRITEBYTECODE=1

if [ "$wants_help" = yes ]; then
    exec "$PYSPARK_PYTHON" "$home/src/jobs/$job.py" --help
fi

chooses_settings=no
if [ -z "$properties" ]; then
    chooses_settings=yes
    properties="$home/conf/spark-$env_name.conf"
    # An environment without a file of its own is refused by the job, in words.
    [ -f "$properties" ] || properties="$home/conf/spark-local.conf"
elif [ ! -f "$properties" ]; then
    echo "spark-submit.sh: --properties-file: there is no $properties." >&2
    exit 2
fi
[ -n "$master" ] || master=$(sed -n 's/^spark\.master[[:space:]=]*//p' "$properties" | tail -n 1)

if [ "$job" = load_sales ] && [ "$env_name" = local ] && [ "$has_inputs" = no ] &&
    [ "$is_dry_run" = no ] && [ -z "${SALES_LAKEHOUSE_TRANSACTIONS:-}${SALES_LAKEHOUSE_CUSTOMERS:-}" ] &&
    grep -q '^transactions: data/transactions.csv' "$SALES_LAKEHOUSE_CONF_DIR/local.yml" 2>/dev/null &&
    [ ! -e data/transactions.csv ]; then
    "$PYSPARK_PYTHON" "$home/src/jobs/make_sample.py" --folder data
fi

# On one machine, Java keeps what it learned of Spark's classes at the end of the first run, and starts in half the time
# from then on. It archives none where a folder with files is on the class path, as conf/ would be.
share_classes() {
    local key archive finished
    key=$(cat "$JAVA_HOME/release" "$home/conf/jars.lock" "$home/requirements.lock" 2>/dev/null | cksum | tr -d ' ')
    archive="$home/.venv/classes-$key.jsa"
    for finished in "$archive".*; do
        # Written by the process of that number, unless it is still at it.
        if [ -f "$finished" ] && ! kill -0 "${finished##*.}" 2>/dev/null; then mv "$finished" "$archive"; fi
    done
    if [ -f "$archive" ]; then
        java_options="$java_options -XX:SharedArchiveFile=$archive"
    else
        java_options="$java_options -XX:ArchiveClassesAtExit=$archive.$$"
    fi
    if [ "$SPARK_CONF_DIR" = "$home/conf" ]; then
        mkdir -p "$home/.venv/no-conf"
        export SPARK_CONF_DIR="$home/.venv/no-conf"
        java_options="$java_options -Dlog4j2.configurationFile=$home/conf/log4j2.properties"
    fi
    java_options="$java_options -Xlog:disable"
}

# What suits the work: see docs/performance.md. A file of Spark properties of one's own is left as it is.
suits=()
java_options=""
case "$chooses_settings$master" in
yes | yeslocal*)
    work=large
    if [ "$job" = load_sales ]; then
        work=$("$PYSPARK_PYTHON" -m common.sizing ${job_options[@]+"${job_options[@]}"} 2>/dev/null) || work=large
    fi
    collector=-XX:+UseParallelGC
    if [ "$work" = small ]; then
        collector=-XX:+UseSerialGC
        java_options="-XX:TieredStopAtLevel=1"
        suits=(--conf spark.sql.adaptive.enabled=false --conf spark.sql.shuffle.partitions=2
            --conf spark.databricks.delta.snapshotPartitions=1)
    fi
    case "$java_collector" in *-XX:+Use*GC*) ;; *) java_options="$java_options $collector" ;; esac
    case "$home" in *" "*) ;; *) share_classes ;; esac
    suits+=(--conf "spark.driver.defaultJavaOptions=$java_options")
    ;;
esac

case "$master" in
"" | local*)
    # One process: what it needs is on its class path, and nothing has to travel.
    travels=(--driver-class-path "${DELTA_JARS//,/:}${more_class_path:+:$more_class_path}"
        --conf "spark.sql.warehouse.dir=$home/.venv/spark-warehouse")
    [ -z "$more_jars" ] || travels+=(--jars "$more_jars")
    [ -z "$more_py_files" ] || travels+=(--py-files "$more_py_files")
    ;;
*)
    package="$home/.venv/sales_lakehouse.zip"
    (cd "$home/src" && "$PYSPARK_PYTHON" -m zipfile -c "$package.$$" common jobs && mv "$package.$$" "$package")
    travels=(--jars "$DELTA_JARS${more_jars:+,$more_jars}" --py-files "$package${more_py_files:+,$more_py_files}")
    [ -z "$more_class_path" ] || travels+=(--driver-class-path "$more_class_path")
    ;;
esac

# spark-submit stands between the job and the terminal: tell the job what it cannot see for itself.
if [ -t 1 ] && [ -n "${TERM:-}" ] && [ "$TERM" != dumb ]; then
    export TTY_COMPATIBLE=1 TTY_INTERACTIVE=1
    COLUMNS=$(tput cols 2>/dev/null || echo 100)
    export COLUMNS
fi

# Bash 3.2, which macOS has, stumbles over empty arrays without the ${...+...}.
exec "$SPARK_HOME/bin/spark-submit" \
    --properties-file "$properties" \
    --conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension \
    --conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog \
    ${suits[@]+"${suits[@]}"} \
    "${travels[@]}" \
    ${spark_options[@]+"${spark_options[@]}"} \
    "$home/src/jobs/$job.py" \
    ${job_options[@]+"${job_options[@]}"}
