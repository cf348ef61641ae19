#!/usr/bin/env bash
# Make .venv hold exactly what a lock file says: `setup.sh run` for Preamp itself, `setup.sh dev` with the tools.
# Needs only Python 3.11 or newer. Does nothing when the locks have not changed since the last time.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:?"usage: setup.sh run|dev"}
case $kind in
  run) lock=requirements.lock ;;
  dev) lock=requirements-dev.lock ;;
  *) echo "usage: setup.sh run|dev" >&2; exit 2 ;;
esac

# The stamp is a copy of what was installed; the tools' environment serves Preamp itself as well.
current() { cat "$1" pyproject.toml; }
for done in dev "$kind"; do
  other=requirements-dev.lock; [ "$done" = run ] && other=requirements.lock
  if [ -x .venv/bin/python ] && [ -f ".venv/stamp-$done" ] &&
    current "$other" | cmp -s - ".venv/stamp-$done"; then
    exit 0
  fi
done

find_python() {
  local name
  for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "Preamp needs Python 3.11 or newer, and none of these is: ${PYTHON:-python3, python3.11 ... python3.14}." >&2
  echo "Install one (Debian 12 and newer: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python" >&2
  exit 2
}

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  python=$(find_python)
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian splits the standard library: virtual environments are a package of their own.
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "This Python cannot make virtual environments: Debian's package python3-venv is missing."
    tools/debian.sh --required "python$version-venv"
  fi
  echo "Making .venv with $("$python" --version)"
  rm -rf .venv
  "$python" -m venv .venv
fi

echo "Installing $lock into .venv"
rm -f .venv/stamp-*
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }
pip install --quiet --require-hashes --requirement "$lock"
pip install --quiet --no-deps --no-build-isolation --editable .
current "$lock" > ".venv/stamp-$kind"
