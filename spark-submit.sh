#!/usr/bin/env bash
# The one door to every job:  ./spark-submit.sh [JOB] [options]
#
# JOB is load_sales unless named. Options of spark-submit itself (--master, --deploy-mode, --conf, --properties-file, ...)
# may stand among the job's and are handed to it. Without --transactions and --customers, a sample is made in ./data.
set -euo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Schedulers and containers often name no language, and there Java writes ? for each letter of a path that is not ASCII.
case "$(locale charmap 2>/dev/null)" in
ANSI_X3.4-1968 | US-ASCII)
    if locale -a 2>/dev/null | grep -qix -e c.utf8 -e c.utf-8; then export LC_ALL=C.UTF-8; fi
    ;;
esac

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
deploy_mode=""
properties=""
more_jars=""
more_archives=""
more_py_files=""
more_class_path=""
wants_help=no
has_inputs=no
uses_s3=no
case "$* ${SALES_LAKEHOUSE_LAKE:-} ${SALES_LAKEHOUSE_TRANSACTIONS:-} ${SALES_LAKEHOUSE_CUSTOMERS:-}" in *s3a://* | *fs.s3a.*) uses_s3=yes ;; esac
is_dry_run=no
relative_path=""
# All that the options of spark-submit say, to look up what they name.
option_values=""

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
        case "$value" in *.access.key=* | *.secret.key=* | *.session.token=* | *.account.key.*=* | *.client.secret*=* | *.sas.*=* | *.private.key*=*)
            echo "spark-submit.sh: $option: ${value%%=*} is a credential, which every user of this machine could read in the list of" \
                "processes: set it as a variable, such as AWS_SECRET_ACCESS_KEY; see docs/object-stores.md." >&2
            exit 2
            ;;
        esac
        option_values="$option_values $value"
        case "$option" in
        --properties-file) properties=$value ;;
        --jars) more_jars=$value ;;
        --archives) more_archives=$value ;;
        --py-files) more_py_files=$value ;;
        --driver-class-path) more_class_path=$value ;;
        *)
            case "$option=$value" in
            --master=*) master=$value ;;
            --deploy-mode=*) deploy_mode=$value ;;
            --conf=spark.master=* | -c=spark.master=*) master=${value#*=} ;;
            --conf=spark.jars=* | -c=spark.jars=*) more_jars=${value#*=} ;;
            --conf=spark.submit.deployMode=* | -c=spark.submit.deployMode=*) deploy_mode=${value#*=} ;;
            esac
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
        given=$value
        [ "$has_value" = yes ] || given=${1:-}
        case "$option=$given" in
        --env=*) env_name=$given ;;
        --lake=*:/* | --transactions=*:/* | --customers=*:/* | --from-files=*:/*) ;;
        --lake=[!/]* | --transactions=[!/]* | --customers=[!/]* | --from-files=[!/]*) relative_path="$option $given" ;;
        esac
        if [ "$has_value" = yes ]; then job_options+=("$option=$value"); else job_options+=("$option"); fi
        ;;
    esac
done

# What the platform brings, unless it is what setup.sh has put there.
platform_spark=${SPARK_HOME:-}
cluster_python=${PYSPARK_PYTHON:-}
case "$platform_spark" in "$home"/.venv/*) platform_spark="" ;; esac
case "$cluster_python" in "$home"/.venv/*) cluster_python="" ;; esac
defaults=${platform_spark:+${SPARK_CONF_DIR:-$platform_spark/conf}/spark-defaults.conf}

# shellcheck source=setup.sh
source "$home/setup.sh" requirements.lock
export SALES_LAKEHOUSE_CONF_DIR=${SALES_LAKEHOUSE_CONF_DIR:-$home/conf}
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

property() { # name: its value in the files of properties that Spark will read
    local file value=""
    for file in "$properties" "$defaults"; do
        [ -f "$file" ] || continue
        value=$(sed -n "s/^[[:space:]]*$1[[:space:]=]\{1,\}//p" "$file" | tail -n 1)
        [ -z "$value" ] || break
    done
    echo "$value"
}

names() { # text: is it in an option of spark-submit, or in these files
    local file
    case "$option_values" in *"$1"*) return 0 ;; esac
    for file in "$properties" "$defaults"; do
        if [ -f "$file" ] && sed '/^[[:space:]]*#/d' "$file" | grep -F -e "$1" >/dev/null; then return 0; fi
    done
    return 1
}

[ -n "$master" ] || master=$(property spark.master)
runs_on=cluster
case "$platform_spark/$master" in */local | */local\[* | /) runs_on=machine ;; esac

# A platform's own Spark keeps its own settings: those of spark-defaults.conf, or of the file that is named.
if [ "$runs_on" = cluster ] && [ -n "$platform_spark" ]; then
    export SPARK_HOME=$platform_spark
    [ "$chooses_settings" = no ] || properties=""
else
    platform_spark=""
    defaults=""
    export SPARK_CONF_DIR=${SPARK_CONF_DIR:-$home/conf}
fi
[ -n "$deploy_mode" ] || deploy_mode=$(property spark.submit.deployMode)

# A Delta that is there already, or that an option brings, is not joined by another.
our_jars=$DELTA_JARS
if names delta-spark || compgen -G "$SPARK_HOME/jars/delta-spark*.jar" >/dev/null; then
    our_jars=""
elif [ -n "$platform_spark" ] && ! compgen -G "$SPARK_HOME/jars/spark-core_2.13-4.2.*.jar" >/dev/null; then
    echo "spark-submit.sh: SPARK_HOME is $SPARK_HOME, which is not Spark 4.2 with Scala 2.13, and there is no Delta in its jars." \
        "Name the Delta that fits it with --jars or --packages, or unset SPARK_HOME for the Spark of this project." >&2
    exit 2
fi

if grep -qsE '^[^#]*(s3a://[^{]|fs\.s3a\.)' "$SALES_LAKEHOUSE_CONF_DIR/$env_name.yml" "$properties"; then uses_s3=yes; fi

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
    key=$( (cat "$JAVA_HOME/release" "$home/conf/jars.lock" "$home/requirements.lock" && printf %s "$LOCAL_FILES $our_jars") 2>/dev/null | cksum | tr -d ' ')
    archive="$home/.venv/classes-$key.jsa"
    for finished in "$archive".*[0-9]; do
        # Written by the process of that number, unless it is still at it. Only a run that did its work has seen the
        # classes that it takes.
        if [ ! -f "$finished" ] || kill -0 "${finished##*.}" 2>/dev/null; then
            continue
        elif [ -f "$finished.whole" ]; then
            mv -f "$finished" "$archive"
        fi
        rm -f "$finished" "$finished.whole"
    done
    if [ -f "$archive" ]; then
        java_options="$java_options -XX:SharedArchiveFile=$archive"
    else
        java_options="$java_options -XX:ArchiveClassesAtExit=$archive.$$"
        export MARK_OF_DONE="$archive.$$.whole"
    fi
    if [ "$SPARK_CONF_DIR" = "$home/conf" ]; then
        mkdir -p "$home/.venv/no-conf"
        export SPARK_CONF_DIR="$home/.venv/no-conf"
        java_options="$java_options -Dlog4j2.configurationFile=$home/conf/log4j2.properties"
    fi
    java_options="$java_options -Xlog:disable"
}

# Java compiles what runs often twice: quickly, and then well. Planning wants the quick compiler alone. That keeps too little
# room for code by itself; where it is full, Java says so on standard output, in the midst of the report.
compile_quickly="-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+DisplayVMOutputToStderr"
# Rows by the million want the other one, ten times later than Java would call it: most of what it would take up is soon done with.
compile_what_repeats="-XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 \
-XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"

# Where one process plans and works on rows, code that plans is never taken up: see conf/java-compiler.json. Java says on
# standard output that it read the file, if it may.
compile_rows_only() {
    java_options="-XX:+UnlockDiagnosticVMOptions -XX:CompilerDirectivesFile=$home/conf/java-compiler.json -XX:-DisplayVMOutput $java_options"
}

# What s3a:// needs. Clusters bring Hadoop's connector in their own version, and are given the log store.
s3=()
if [ "$uses_s3" = yes ]; then
    setup_s3
    [ "$runs_on" = cluster ] || our_jars="$our_jars${our_jars:+,}$S3_JARS"
    our_jars="$our_jars${our_jars:+,}$S3_LOG_STORE"
    while read -r key value; do
        case "$key" in "" | \#*) continue ;; esac
        s3+=(--conf "$key=$value")
    done <"$home/conf/s3a.conf"
    # Stores other than Amazon's are known by one name, without one for each bucket.
    [ -z "${AWS_ENDPOINT_URL:-}" ] || s3+=(--conf spark.hadoop.fs.s3a.path.style.access=true)
fi

# What suits the work: see docs/performance.md. A file of Spark properties of one's own is left as it is.
spark_settings=()
set_unless_named() { # name, value
    names "$1" || spark_settings+=(--conf "$1=$2")
}
if [ "$chooses_settings/$runs_on" = yes/machine ]; then
    work=large
    if [ "$job" = load_sales ]; then
        work=$("$PYSPARK_PYTHON" -m common.run.input_size ${job_options[@]+"${job_options[@]}"} 2>/dev/null) || work=large
    fi
    collector=-XX:+UseParallelGC
    java_options=$compile_what_repeats
    if [ "$work" = small ]; then
        collector=-XX:+UseSerialGC
        java_options=$compile_quickly
        spark_settings+=(--conf spark.sql.adaptive.enabled=false --conf spark.sql.shuffle.partitions=2
            --conf spark.databricks.delta.snapshotPartitions=1)
    fi
    # Where a garbage collector is named already, Java refuses a second one.
    case "${JAVA_TOOL_OPTIONS:-} ${JDK_JAVA_OPTIONS:-} $option_values" in
    *-XX:+Use*GC*) ;;
    *) java_options="$java_options $collector" ;;
    esac
    # Java's options cannot hold a path with spaces.
    case "$home" in
    *" "*) ;;
    *)
        [ "$work" = small ] || compile_rows_only
        share_classes
        ;;
    esac
    spark_settings+=(--conf "spark.driver.defaultJavaOptions=$java_options")
elif [ -n "$properties" ] && [ "$chooses_settings" = yes ]; then
    set_unless_named spark.driver.defaultJavaOptions "$compile_quickly"
    set_unless_named spark.executor.defaultJavaOptions "$compile_what_repeats"
fi

[ -z "$properties" ] || spark_settings+=(--properties-file "$properties")
set_unless_named spark.sql.extensions io.delta.sql.DeltaSparkSessionExtension
set_unless_named spark.sql.catalog.spark_catalog org.apache.spark.sql.delta.catalog.DeltaCatalog

# The driver in a container of the cluster, which has neither .venv, conf/ nor variables of ours.
driver_on_cluster() {
    local variable link=sales_lakehouse
    if [ "$env_name" = local ]; then
        echo "spark-submit.sh: --env: conf/local.yml is about this machine, where the driver will not be; use --env cluster." >&2
        exit 2
    elif [ -n "$relative_path" ]; then
        echo "spark-submit.sh: $relative_path: a driver on the cluster does not start in this folder; give a whole path." >&2
        exit 2
    fi
    "$PYSPARK_DRIVER_PYTHON" -m common.run.cluster_archive "$home/.venv/$link-driver.zip" "$SALES_LAKEHOUSE_CONF_DIR"
    travels+=(--archives "$home/.venv/$link-driver.zip#$link${more_archives:+,$more_archives}")
    export SALES_LAKEHOUSE_CONF_DIR="$link/conf" PYTHONPATH="$link/packages"
    for variable in PYTHONPATH $(compgen -e SALES_); do
        travels+=(--conf "spark.yarn.appMasterEnv.$variable=${!variable}"
            --conf "spark.kubernetes.driverEnv.$variable=${!variable}")
    done
    unset PYSPARK_DRIVER_PYTHON
}

class_path=$more_class_path
# The option takes the place of the property.
jars=${more_jars:-$(property spark.jars)}
py_files=$more_py_files
travels=()
if [ "$runs_on" = machine ]; then
    # One process: what it needs is on its class path, and nothing has to travel.
    class_path="$LOCAL_FILES${our_jars:+:${our_jars//,/:}}${class_path:+:$class_path}"
    set_unless_named spark.hadoop.fs.file.impl saleslakehouse.LocalFiles
    set_unless_named spark.hadoop.fs.AbstractFileSystem.file.impl saleslakehouse.LocalFilesOfLog
    travels+=(--conf "spark.sql.warehouse.dir=$home/.venv/spark-warehouse")
    [ -z "$more_archives" ] || travels+=(--archives "$more_archives")
else
    package="$home/.venv/sales_lakehouse.zip"
    (cd "$home/src" && "$PYSPARK_PYTHON" -m zipfile -c "$package.$$" common jobs && mv "$package.$$" "$package")
    jars="$our_jars${our_jars:+${jars:+,}}$jars"
    py_files="$package${py_files:+,$py_files}"
    # Python has to be of one minor version on both sides.
    PYSPARK_PYTHON=${cluster_python:-$("$PYSPARK_DRIVER_PYTHON" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')}
    if [ "$deploy_mode" = cluster ]; then
        driver_on_cluster
    else
        # Else spark.pyspark.python, which is the executors', would be the driver's as well.
        names spark.pyspark.driver.python || travels+=(--conf "spark.pyspark.driver.python=$PYSPARK_DRIVER_PYTHON")
        [ -z "$more_archives" ] || travels+=(--archives "$more_archives")
    fi
fi
[ -z "$class_path" ] || travels+=(--driver-class-path "$class_path")
[ -z "$jars" ] || travels+=(--jars "$jars")
[ -z "$py_files" ] || travels+=(--py-files "$py_files")

# spark-submit stands between the job and the terminal: tell the job what it cannot see for itself.
if [ -t 1 ] && [ -n "${TERM:-}" ] && [ "$TERM" != dumb ]; then
    export TTY_COMPATIBLE=1 TTY_INTERACTIVE=1
    COLUMNS=$(tput cols 2>/dev/null || echo 100)
    export COLUMNS
fi

# Bash 3.2, which macOS has, stumbles over empty arrays without the ${...+...}.
exec "$SPARK_HOME/bin/spark-submit" \
    ${spark_settings[@]+"${spark_settings[@]}"} \
    "${travels[@]}" \
    ${s3[@]+"${s3[@]}"} \
    ${spark_options[@]+"${spark_options[@]}"} \
    "$home/src/jobs/$job.py" \
    ${job_options[@]+"${job_options[@]}"}
