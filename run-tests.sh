#!/usr/bin/env bash
# Sets up what the tests need, then checks style, types and behaviour. Arguments go to pytest: ./run-tests.sh -k quotes
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
trap 'exit 130' INT
echo "run-tests.sh: sets up the packages of the tests where they are missing (1.8 GB in .venv, some minutes), then checks" \
    "style, types and behaviour (about a quarter of an hour on two cores). Ctrl-C ends it. To query a lake, ./setup.sh --query is enough." >&2
# shellcheck source=setup.sh
source ./setup.sh requirements-dev.lock
export SPARK_CONF_DIR="$PWD/conf"
export PYTHONDONTWRITEBYTECODE=1

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
PYTHONPATH=src .venv/bin/lint-imports --no-cache
# All everyday tests at once have two processes with a Spark each: one alone leaves half of two cores idle. What one asks for
# by arguments has one, unless -n 2 is among them; the tests of a file share lakes and servers.
[ $# -gt 0 ] || set -- -n 2 --dist loadfile --no-loadscope-reorder
exec .venv/bin/python -m pytest "$@"
