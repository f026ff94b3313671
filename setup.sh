#!/usr/bin/env bash
# Sets up, once, what the project needs, all of it inside .venv/: the Python packages of a lock with hashes, Delta's
# JARs with their checksums, and what is compiled from src/scala. Finds a Java. Run it by itself, or source it for the variables
# it exports.
#
#   ./setup.sh         what the jobs need
#   ./setup.sh --dev   what the tests need besides
#   ./setup.sh --s3    what the jobs need for s3a:// besides; spark-submit.sh does that where it is needed
#
# Nothing is fetched where all is there. INSTALL_JAVA=yes answers the question that is asked where there is no Java.
# IVY_SETTINGS names an Ivy settings file where the JARs are to come from a mirror; pip has PIP_INDEX_URL for its own.

setup_home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
setup_venv="$setup_home/.venv"

setup_fail() {
    echo "setup: $*" >&2
    exit 2
}

setup_checksum() { # file
    "$setup_venv/bin/python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}

setup_find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.12 python3.13 python3.11 python3.10; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
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

setup_python() { # lock file
    local lock="$1" python
    local stamp="$setup_venv/installed-$lock"
    # The lock of the tests holds all that the jobs need.
    if cmp -s "$setup_home/$lock" "$stamp" || { [ "$lock" = requirements.lock ] && cmp -s "$setup_home/requirements-dev.lock" "$setup_venv/installed-requirements-dev.lock"; }; then
        return
    fi
    python=$(setup_find_python) || exit 2
    echo "setup: installing Python packages into .venv (once, some minutes)" >&2
    "$python" -m venv "$setup_venv" ||
        setup_fail "Python cannot make an environment: apt-get install python3-venv (on Debian and Ubuntu)."
    "$setup_venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$setup_home/$lock" ||
        setup_fail "the Python packages of $lock could not be installed; the lines above say why. Run again to go on."
    cp "$setup_home/$lock" "$stamp"
}

setup_is_java() { # home: a Java that Spark 4 runs on
    [ -x "$1/bin/java" ] && "$1/bin/java" --add-modules=jdk.incubator.vector -version >/dev/null 2>&1 &&
        [ "$("$1/bin/java" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.specification.version = //p')" -ge 17 ] 2>/dev/null
}

# What was found before is not looked for again: starting Java three times takes a quarter of a second.
setup_java() {
    local asked known home=""
    local stamp="$setup_venv/java-home"
    asked="${JAVA_HOME:-} $(command -v java || true)"
    if [ -f "$stamp" ]; then
        { IFS= read -r known && IFS= read -r home; } <"$stamp" || true
        if [ "$known" = "$asked" ] && [ -x "$home/bin/java" ]; then
            export JAVA_HOME="$home"
            return
        fi
    fi
    setup_find_java
    printf '%s\n%s\n' "$asked" "$JAVA_HOME" >"$stamp.$$"
    mv "$stamp.$$" "$stamp"
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
        "$setup_venv/bin/python" -c '
import sys, jdk
try:
    jdk.install("17", path=sys.argv[1])
except (jdk.JdkError, OSError) as error:
    sys.exit(f"setup: {error}")' "$setup_venv/java" ||
            setup_fail "no JDK could be downloaded; install one: apt-get install openjdk-17-jre-headless, or brew install openjdk@17."
        INSTALL_JAVA=no setup_find_java
        ;;
    *)
        setup_fail "Spark needs Java 17 or newer and there is none. Install one: apt-get install openjdk-17-jre-headless," \
            "or brew install openjdk@17; or run again with INSTALL_JAVA=yes to download a JDK into .venv/java."
        ;;
    esac
}

# The JARs of a lock, each fetched where it is not in the folder yet; SETUP_JARS names them, with commas.
setup_jars() { # lock file, folder in .venv
    local group artifact version expected found missing jar
    local lock="$1" folder="$setup_venv/$2"
    local spark_jars="$SPARK_HOME/jars"
    SETUP_JARS=""
    missing=""
    while read -r group artifact version expected; do
        case "$group" in "" | \#*) continue ;; esac
        jar="$folder/$artifact-$version.jar"
        SETUP_JARS="$SETUP_JARS${SETUP_JARS:+,}$jar"
        [ -f "$jar" ] || missing="$missing<dependency org='$group' name='$artifact' rev='$version' conf='default->master'/>"
    done <"$lock"
    [ -n "$missing" ] || return 0
    echo "setup: fetching the JARs of ${lock#"$setup_home/"}" >&2
    mkdir -p "$folder"
    # Ivy comes with Spark, and finds the JARs where Spark itself would.
    # It runs inside the folder, since brackets in a path would mean something to it.
    echo "<ivy-module version='2.0'><info organisation='setup' module='jars'/><configurations><conf name='default'/></configurations><dependencies>$missing</dependencies></ivy-module>" >"$folder/ivy.xml"
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

# What Hadoop and Delta lack, compiled once by the compiler that comes with Spark; SETUP_COMPILED names the JAR.
setup_compiled() { # name of the source in src/scala
    local source="$setup_home/src/scala/$1.scala"
    local key classpath
    key=$(cat "$source" "$setup_home/conf/jars.lock" "$setup_home/requirements.lock" | cksum | tr -d ' ')
    SETUP_COMPILED="$setup_venv/compiled/$1-$key.jar"
    [ ! -f "$SETUP_COMPILED" ] || return 0
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
    setup_jars "$setup_home/conf/jars-s3.lock" s3-jars
    S3_JARS="$SETUP_JARS"
    setup_compiled ConditionalPutLogStore
    S3_LOG_STORE="$SETUP_COMPILED"
    export S3_JARS S3_LOG_STORE
}

setup_all() { # lock file
    setup_python "$1"
    set -- "$setup_venv"/lib/python*/site-packages/pyspark
    # Where .venv was made anew with another Python, there is more than one.
    [ $# -eq 1 ] || set -- "$("$setup_venv/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/pyspark"
    export SPARK_HOME="$1"
    export PYSPARK_PYTHON="$setup_venv/bin/python" PYSPARK_DRIVER_PYTHON="$setup_venv/bin/python"
    setup_java
    setup_jars "$setup_home/conf/jars.lock" delta-jars
    DELTA_JARS="$SETUP_JARS"
    setup_compiled LocalFiles
    LOCAL_FILES="$SETUP_COMPILED"
    export DELTA_JARS LOCAL_FILES
}

case "${1:-}" in
--python) setup_any_python ;;
"" | --s3) setup_all requirements.lock ;;
--dev) setup_all requirements-dev.lock ;;
requirements*.lock) setup_all "$1" ;;
*) setup_fail "unknown argument $1; there are --dev and --s3." ;;
esac
[ "${1:-}" != --s3 ] || setup_s3
