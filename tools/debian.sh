#!/usr/bin/env bash
# Install Debian packages where this machine allows it (root, or sudo without a password).
#   debian.sh FILE               packages of a list, one a line; without the right to install: says so, and goes on
#   debian.sh --required NAME... these packages; without the right to install: exit status 2
set -euo pipefail

required=no
if [ "${1:-}" = --required ]; then
  required=yes
  shift
  wanted=("$@")
else
  mapfile -t wanted < <(sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "${1:?"usage: debian.sh FILE"}")
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    as_root=(no)
  fi
fi
if ! command -v apt-get >/dev/null || [ "${as_root[0]:-}" = no ]; then
  echo "Not installed, and not installable from here: ${missing[*]}"
  echo "As root: apt install ${missing[*]}"
  [ $required = yes ] && exit 2
  exit 0
fi

echo "Installing with apt: ${missing[*]}"
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-confdef \
    "${missing[@]}" >"$log" 2>&1
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! install; then
  # The lists may be missing or old.
  "${as_root[@]}" apt-get update -qq >>"$log" 2>&1 || true
  if ! install; then
    tail -n 20 "$log" >&2
    echo "apt could not install: ${missing[*]}" >&2
    [ $required = yes ] && exit 2
  fi
fi
exit 0
