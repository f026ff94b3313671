#!/usr/bin/env bash
# Sets up, once, what the project needs, all of it inside .venv/: the Python packages of a lock with hashes, Delta's
# JARs with their checksums, and what is compiled from src/scala. Finds a Java. Run it by itself, or source it for the variables
# it exports.
#
#   ./setup.sh           what the jobs need
#   ./setup.sh --query   what reading the tables without Spark needs: DuckDB, deltalake and pandas
#   ./setup.sh --dev     what the tests need besides
#   ./setup.sh --describe  what describe_feed needs besides, DuckDB; spark-submit.sh does that where it is used
#   ./setup.sh --forecast  what forecast_sales needs besides, numpy, pandas and pyarrow; likewise
#   ./setup.sh --s3      what the jobs need for s3a:// besides; spark-submit.sh does that where it is needed
#
# Nothing is fetched where all is there. Of several commands that find something missing, one sets up and the others wait.
# INSTALL_JAVA=yes answers the question that is asked where there is no Java. IVY_SETTINGS names an Ivy settings file where
# the JARs are to come from a mirror; pip has PIP_INDEX_URL for its own.

setup_home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
setup_venv="$setup_home/.venv"

setup_fail() {
    echo "setup: $*" >&2
    exit 2
}

setup_checksum() { # file
    "$setup_venv/bin/python" -I -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}

setup_find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.12 python3.13 python3.11 python3.10; do
        if "$candidate" -I -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    setup_fail "Python 3.10 or newer is needed: apt-get install python3 python3-venv, or brew install python@3.12."
}

# The Python of .venv, or any that is new enough where that is not there yet.
setup_any_python() {
    SETUP_PYTHON="$setup_venv/bin/python"
    [ -x "$SETUP_PYTHON" ] || SETUP_PYTHON=$(setup_find_python) || exit 2
}

# Run a command while no other process sets up this checkout. The lock is the kernel's, on a file that this shell and what it
# starts have open: it ends with the last of them, however that ends. macOS has no flock command, and every Python has flock.
setup_under_lock() { # command
    mkdir -p "$setup_venv" || setup_fail "$setup_venv cannot be written."
    {
        setup_lock
        "$@"
    } 8>"$setup_venv/setup.lock"
}

setup_lock() {
    setup_any_python
    "$SETUP_PYTHON" -I -c '
import fcntl, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    fcntl.flock(8, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("setup: another command is setting up this folder; waiting for it", file=sys.stderr, flush=True)
    fcntl.flock(8, fcntl.LOCK_EX)
except OSError as error:
    print(f"setup: going on without a lock, which this disk does not have: {error}", file=sys.stderr)' || exit
}

setup_has_packages() { # lock file
    local held
    # The lock of the tests holds all that the others do.
    for held in "$1" requirements-dev.lock; do
        ! cmp -s "$setup_home/$held" "$setup_venv/installed-$held" || return 0
    done
    return 1
}

setup_packages() { # lock file
    local lock="$1" python size
    local stamp="$setup_venv/installed-$lock"
    ! setup_has_packages "$lock" || return 0
    python=$(setup_find_python) || exit 2
    case "$lock" in
    requirements-dev.lock) size="1.8 GB" ;;
    requirements-describe.lock) size="0.1 GB" ;;
    requirements-forecast.lock) size="0.3 GB" ;;
    *) size="0.6 GB" ;;
    esac
    echo "setup: installing the Python packages of $lock into .venv (once; $size, some minutes; Ctrl-C ends it)" >&2
    "$python" -I -m venv "$setup_venv" ||
        setup_fail "Python cannot make an environment: apt-get install python3-venv (on Debian and Ubuntu)."
    # PySpark comes as source. It is built with the setuptools of the lock, not with one that pip would fetch unchecked.
    { setup_pip "$(sed -n '/^setuptools==/,/[^\\]$/p' "$setup_home/$lock")" && setup_pip "$(cat "$setup_home/$lock")"; } ||
        setup_fail "the Python packages of $lock could not be installed; the lines above say why. Run again to go on."
    setup_write "$stamp" <"$setup_home/$lock"
}

# Install what lines of a lock say, and nothing else.
setup_pip() { # lines
    "$setup_venv/bin/python" -I -m pip install --quiet --disable-pip-version-check --require-hashes --use-pep517 \
        --no-build-isolation -r <(printf '%s\n' "$1")
}

# A file that is whole or not there, from standard input.
setup_write() { # file
    { cat >"$1.$$" && mv -f "$1.$$" "$1"; } || setup_fail "$1 cannot be written."
}

setup_is_java() { # home: a Java that Spark 4 runs on
    [ -x "$1/bin/java" ] && "$1/bin/java" --add-modules=jdk.incubator.vector -version >/dev/null 2>&1 &&
        [ "$("$1/bin/java" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.specification.version = //p')" -ge 17 ] 2>/dev/null
}

# What was found before is not looked for again: starting Java three times takes a quarter of a second.
setup_has_java() {
    local known="" home=""
    setup_asked_java="${JAVA_HOME:-} $(command -v java || true)"
    [ -f "$setup_venv/java-home" ] || return 1
    { IFS= read -r known && IFS= read -r home; } <"$setup_venv/java-home" || true
    # JAVA_HOME is that home where this has run before, in this shell or in the one that started it.
    if [ ! -x "$home/bin/java" ] || { [ "$known" != "$setup_asked_java" ] && [ "${JAVA_HOME:-}" != "$home" ]; }; then return 1; fi
    export JAVA_HOME="$home"
}

setup_java() {
    ! setup_has_java || return 0
    setup_find_java
    printf '%s\n%s\n' "$setup_asked_java" "$JAVA_HOME" | setup_write "$setup_venv/java-home" || exit
}

setup_find_java() {
    local candidate answer
    local on_path=""
    if command -v java >/dev/null 2>&1; then
        # Where there is no JDK, macOS has a java that only says so, and fails.
        on_path=$(java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.home = //p') || true
    fi
    for candidate in "${JAVA_HOME:-}" "$on_path" "$setup_venv"/java/*/ "$setup_venv"/java/*/Contents/Home \
        /usr/lib/jvm/*/ "$(/usr/libexec/java_home -v 17+ 2>/dev/null || true)"; do
        if [ -n "$candidate" ] && setup_is_java "${candidate%/}"; then
            export JAVA_HOME="${candidate%/}"
            return
        fi
    done
    answer=${INSTALL_JAVA:-}
    if [ -z "$answer" ] && [ -t 0 ]; then
        read -r -p "setup: Spark needs Java 17 or newer and there is none. Download a JDK 17 into .venv/java? (yes/no) " answer
    fi
    case "$answer" in
    y | Y | yes | YES | true | 1)
        rm -rf "$setup_venv/java.new"
        mkdir -p "$setup_venv/java"
        { "$setup_venv/bin/python" -I -c '
import sys, jdk
try:
    jdk.install("17", path=sys.argv[1])
except (jdk.JdkError, OSError) as error:
    sys.exit(f"setup: {error}")' "$setup_venv/java.new" && mv "$setup_venv"/java.new/* "$setup_venv/java/"; } ||
            setup_fail "no JDK could be downloaded; install one: apt-get install openjdk-17-jre-headless, or brew install openjdk@17."
        INSTALL_JAVA=no setup_find_java
        ;;
    *)
        setup_fail "Spark needs Java 17 or newer and there is none. Install one: apt-get install openjdk-17-jre-headless," \
            "or brew install openjdk@17; or run again with INSTALL_JAVA=yes to download a JDK into .venv/java."
        ;;
    esac
}

# Whether the JARs of a lock are in a folder of .venv; SETUP_JARS names them, with commas.
setup_has_jars() { # lock file, folder
    local group artifact version expected jar
    SETUP_JARS="" setup_missing=""
    while read -r group artifact version expected; do
        case "$group" in "" | \#*) continue ;; esac
        jar="$setup_venv/$2/$artifact-$version.jar"
        SETUP_JARS="$SETUP_JARS${SETUP_JARS:+,}$jar"
        [ -f "$jar" ] || setup_missing="$setup_missing<dependency org='$group' name='$artifact' rev='$version' conf='default->master'/>"
    done <"$1"
    [ -z "$setup_missing" ]
}

# Fetch those that are missing.
setup_jars() { # lock file, folder
    local group artifact version expected found jar
    local lock="$1" folder="$setup_venv/$2" spark_jars="$SPARK_HOME/jars"
    ! setup_has_jars "$1" "$2" || return 0
    echo "setup: fetching the JARs of ${lock#"$setup_home/"}" >&2
    mkdir -p "$folder"
    # Ivy comes with Spark, and finds the JARs where Spark itself would.
    # It runs inside the folder, since brackets in a path would mean something to it.
    echo "<ivy-module version='2.0'><info organisation='setup' module='jars'/><configurations><conf name='default'/></configurations><dependencies>$setup_missing</dependencies></ivy-module>" >"$folder/ivy.xml"
    (cd "$folder" && "$JAVA_HOME/bin/java" -cp "$spark_jars/*" org.apache.ivy.Main \
        ${IVY_SETTINGS:+-settings "$IVY_SETTINGS"} -cache ivy -ivy ivy.xml -confs default \
        -retrieve "[artifact]-[revision].[ext].new" >ivy.log 2>&1) ||
        setup_fail "the JARs of ${lock#"$setup_home/"} could not be fetched; $folder/ivy.log says why. Run again to go on."
    while read -r group artifact version expected; do
        case "$group" in "" | \#*) continue ;; esac
        jar="$folder/$artifact-$version.jar"
        [ ! -f "$jar" ] || continue
        [ -f "$jar.new" ] || setup_fail "$artifact could not be fetched; $folder/ivy.log says why. Run again to go on."
        found=$(setup_checksum "$jar.new")
        if [ "$found" != "$expected" ]; then
            rm -f "$jar.new"
            setup_fail "$artifact $version has the SHA-256 $found, ${lock#"$setup_home/"} says $expected: it was not used."
        fi
        mv "$jar.new" "$jar"
    done <"$lock"
    rm -rf "$folder/ivy" "$folder/ivy.xml" "$folder/ivy.log"
}

# Whether a source in src/scala is compiled; SETUP_COMPILED names the JAR.
setup_has_compiled() { # name
    local key
    key=$(cat "$setup_home/src/scala/$1.scala" "$setup_home/conf/jars.lock" "$setup_home/requirements.lock" | cksum | tr -d ' ')
    SETUP_COMPILED="$setup_venv/compiled/$1-$key.jar"
    [ -f "$SETUP_COMPILED" ]
}

# What Hadoop and Delta lack, compiled by the compiler that comes with Spark.
setup_compiled() { # name
    local source="$setup_home/src/scala/$1.scala" classpath
    ! setup_has_compiled "$1" || return 0
    echo "setup: compiling src/scala/$1.scala (once)" >&2
    mkdir -p "$setup_venv/compiled"
    classpath=$(printf '%s:' "$SPARK_HOME"/jars/hadoop-client-api-*.jar "$SPARK_HOME"/jars/scala-library-*.jar "$setup_venv"/delta-jars/delta-storage-*.jar)
    "$JAVA_HOME/bin/java" -cp "$SPARK_HOME/jars/*" scala.tools.nsc.Main -release 17 -nobootcp -cp "$classpath" \
        -d "$SETUP_COMPILED.$$.jar" "$source" >&2 ||
        setup_fail "src/scala/$1.scala could not be compiled; the lines above say why."
    mv "$SETUP_COMPILED.$$.jar" "$SETUP_COMPILED"
}

# What s3a:// needs: S3_JARS, and S3_LOG_STORE.
setup_s3() {
    if ! { setup_has_jars "$setup_home/conf/jars-s3.lock" s3-jars && setup_has_compiled ConditionalPutLogStore; }; then
        setup_under_lock setup_install_s3
    fi
    setup_has_jars "$setup_home/conf/jars-s3.lock" s3-jars
    setup_has_compiled ConditionalPutLogStore
    export S3_JARS="$SETUP_JARS" S3_LOG_STORE="$SETUP_COMPILED"
}

setup_install_s3() {
    setup_jars "$setup_home/conf/jars-s3.lock" s3-jars
    setup_compiled ConditionalPutLogStore
}

setup_all() { # lock file
    if ! { setup_has_packages "$1" && setup_has_java && setup_has_jars "$setup_home/conf/jars.lock" delta-jars && setup_has_compiled LocalFiles; }; then
        setup_under_lock setup_install "$1"
    fi
    setup_variables
    export DELTA_JARS="$SETUP_JARS" LOCAL_FILES="$SETUP_COMPILED"
}

setup_install() { # lock file
    setup_packages "$1"
    setup_variables
    setup_java
    setup_jars "$setup_home/conf/jars.lock" delta-jars
    setup_compiled LocalFiles
}

setup_variables() {
    set -- "$setup_venv"/lib/python*/site-packages/pyspark
    # Where .venv was made anew with another Python, there is more than one.
    [ $# -eq 1 ] || set -- "$("$setup_venv/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/pyspark"
    export SPARK_HOME="$1" PYSPARK_PYTHON="$setup_venv/bin/python" PYSPARK_DRIVER_PYTHON="$setup_venv/bin/python"
}

case "${1:-}" in
--python) setup_any_python ;;
--query | --describe | --forecast)
    lock="requirements-${1#--}.lock"
    setup_has_packages "$lock" || setup_under_lock setup_packages "$lock"
    ;;
"" | --s3) setup_all requirements.lock ;;
--dev) setup_all requirements-dev.lock ;;
requirements*.lock) setup_all "$1" ;;
*) setup_fail "unknown argument $1; there are --query, --describe, --forecast, --dev and --s3." ;;
esac
[ "${1:-}" != --s3 ] || setup_s3
