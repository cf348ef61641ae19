#!/usr/bin/env bash
# Resolve the dependencies into lock files: one for every Python from 3.11 and every platform, pinned by
# hash, without addresses, so that any package registry serves. `lock.sh --upgrade` takes newer versions.
set -euo pipefail
cd "$(dirname "$0")/.."

flags=("$@")
resolve() {
  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate "${flags[@]}" "${@:2}" -o "$1"
}
resolve requirements.lock pyproject.toml --group install
resolve requirements-dev.lock pyproject.toml --group dev
resolve requirements-bench.lock --group bench # without Preamp: it is for an environment of its own
git --no-pager diff --stat -- requirements.lock requirements-dev.lock requirements-bench.lock
