#!/usr/bin/env bash
# The one door to every job:  ./spark-submit.sh [JOB] [options]   (./spark-submit.sh --help lists the jobs)
#
# Options of spark-submit itself (--master, --deploy-mode, --conf, --properties-file, ...) may stand among the job's. This
# script sets up what is missing; src/common/start/submit.py decides with what Spark is started.
set -euo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Schedulers and containers often name no language, and there Java writes ? for each letter of a path that is not ASCII.
case "$(locale charmap 2>/dev/null)" in
ANSI_X3.4-1968 | US-ASCII)
    if locale -a 2>/dev/null | grep -qix -e c.utf8 -e c.utf-8; then export LC_ALL=C.UTF-8; fi
    ;;
esac

# What the platform brings, unless it is what setup.sh has put there.
platform_spark=${SPARK_HOME:-}
platform_python=${PYSPARK_PYTHON:-}
case "$platform_spark" in "$home"/.venv/*) platform_spark="" ;; esac
case "$platform_python" in "$home"/.venv/*) platform_python="" ;; esac

# In the folder that the command is given in, a file may be named like any module: -I keeps Python from looking there.
submit() { # Python, then the arguments of this script
    local python=$1
    shift
    "$python" -I -B -c 'import sys; sys.path.insert(0, sys.argv[1] + "/src"); from common.start.submit import main; sys.exit(main(sys.argv[1:]))' \
        "$home" "$$" "$platform_spark" "$platform_python" "$@"
}

# Help, the version and a job that is not there need nothing but a Python.
if [ "${1:-}" = help ] && [ $# -gt 1 ]; then set -- "$2" --help; fi
case "${1:-}" in
--help | -h | --version) needs=python ;;
"" | -* | shell) needs=all ;;
*) if [ -f "$home/src/jobs/$1.py" ]; then needs=all; else needs=python; fi ;;
esac
if [ "$needs" = python ]; then
    # shellcheck source=setup.sh
    source "$home/setup.sh" --python
    submit "$SETUP_PYTHON" "$@"
    exit
fi

# Java has each JAR of Spark open, and where it may not, says that Spark is not there. It raises the limit itself up to this.
most_files=$(ulimit -Hn)
if [ "$most_files" != unlimited ] && [ "$most_files" -lt 512 ]; then
    echo "spark-submit.sh: only $most_files files may be open at once, and Spark needs 512: ulimit -n 4096." >&2
    exit 2
fi

# shellcheck source=setup.sh
source "$home/setup.sh" requirements.lock
export SALES_LAKEHOUSE_CONF_DIR=${SALES_LAKEHOUSE_CONF_DIR:-$home/conf}
# An empty place in it is the current folder for Python, and so it is with one that has a colon too many.
python_path=$home/src
while IFS= read -r -d : place; do
    case "$place" in /*) python_path+=":$place" ;; esac
done <<<"${PYTHONPATH:-}:"
# The processes that Spark starts for functions in Python are started with -m, which looks into the current folder first.
export PYTHONPATH="$python_path" PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1

# Where Spark keeps rows meanwhile, for nobody else to read; src/common/start/run_folder.py has the rest.
temporary=$(cd "${TMPDIR:-/tmp}" 2>/dev/null && pwd && [ -w . ]) && RUN_FOLDER=$(mktemp -d "$temporary/sales-lakehouse-XXXXXX") ||
    setup_fail "the temporary folder ${TMPDIR:-/tmp} cannot be written; TMPDIR names another."
export RUN_FOLDER
exec 7>"$RUN_FOLDER/owner.new"

# Variables (NAME=VALUE, or NAME to take away), an empty word, the command, and how deciding ended.
words=()
while IFS= read -r -d '' word; do
    words+=("$word")
done < <(submit "$PYSPARK_PYTHON" "$@" && printf '0\0' || printf '%s\0' "$?")
last=$((${#words[@]} - 1))
[ "${words[last]}" = 0 ] || exit "${words[last]}"
first=0
while [ -n "${words[first]}" ]; do
    case "${words[first]}" in
    *=*) export "${words[first]?}" ;;
    *) unset "${words[first]}" ;;
    esac
    first=$((first + 1))
done

# spark-submit stands between the job and the terminal: tell the job what it cannot see for itself.
if [ -t 1 ] && [ -n "${TERM:-}" ] && [ "$TERM" != dumb ]; then
    export TTY_COMPATIBLE=1 TTY_INTERACTIVE=1
    COLUMNS=$(tput cols 2>/dev/null || echo 100)
    export COLUMNS
fi

words=("${words[@]:first+1:last-first-1}")
case "${words[0]}" in
# Java warns at each start of a module that Spark itself asks for, and has no option not to.
*/spark-submit) exec "${words[@]}" 2> >(exec grep -a -v --line-buffered "Using incubator modules: jdk.incubator.vector" >&2) ;;
*) exec "${words[@]}" ;;
esac
