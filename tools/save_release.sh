#!/usr/bin/env bash
# Save a database as the current version leaves it, for the tests of later versions (CONTRIBUTING.md).
set -euo pipefail
cd "$(dirname "$0")/.."

exec .venv/bin/python -m tests.support.saved_releases
