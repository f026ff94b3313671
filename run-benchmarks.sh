#!/usr/bin/env bash
# Compares ours with other ways to do the same, in one run on the same data: ./run-benchmarks.sh full_load --help
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=setup.sh
source ./setup.sh requirements-dev.lock
export PYTHONDONTWRITEBYTECODE=1
# Where the cluster comes from that a scenario runs on.
export PYTHONPATH="$PWD/tests"
program=benchmarks/run.py
# How good forecasts are is no matter of time.
if [ "${1:-}" = forecast ]; then program=benchmarks/forecast.py && shift && export PYTHONPATH="$PYTHONPATH:$PWD/src"; fi
exec .venv/bin/python "$program" "$@"
