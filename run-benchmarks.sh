#!/usr/bin/env bash
# Compares ours with other ways to do the same, in one run on the same data: ./run-benchmarks.sh full_load --help
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=setup.sh
source ./setup.sh requirements-dev.lock
export PYTHONDONTWRITEBYTECODE=1
# Where the cluster comes from that a scenario runs on.
export PYTHONPATH="$PWD/tests"
exec .venv/bin/python benchmarks/run.py "$@"
