#!/usr/bin/env bash
# Every check that is not a test of behaviour. All of them run, also after one has failed.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
check() {
  local name=$1
  shift
  printf '\n== %s\n' "$name"
  "$@" || failed+=("$name")
}

check "format" .venv/bin/ruff format --check --quiet .
check "lint" .venv/bin/ruff check --quiet .
check "types" .venv/bin/mypy
check "imports between rooms" .venv/bin/lint-imports
check "house rules" .venv/bin/python tools/house_rules.py
check "docs" .venv/bin/pytest -q -p no:cacheprovider tests/unit/docs

echo
if [ ${#failed[@]} -gt 0 ]; then
  printf 'Failed: %s\n' "$(IFS=,; echo "${failed[*]}")"
  exit 1
fi
echo "All checks passed"
