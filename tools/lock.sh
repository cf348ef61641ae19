#!/usr/bin/env bash
# Resolve the dependencies into lock files: one for every Python from 3.11 and every platform, pinned by
# hash, without addresses, so that any package registry serves. `lock.sh --upgrade` takes newer versions.
set -euo pipefail
cd "$(dirname "$0")/.."

resolve() {
  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate "${@:3}" pyproject.toml --group "$1" -o "$2"
}
resolve install requirements.lock "$@"
resolve dev requirements-dev.lock "$@"
git --no-pager diff --stat -- requirements.lock requirements-dev.lock
