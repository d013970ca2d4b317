#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Make the development environment .venv from the hash-pinned lock, or bring it up to date. Safe to run again; the
# Makefile runs it when the lock is newer. Python: $MOORING_PYTHON, else the newest of 3.11 to 3.14 on the PATH.
set -euo pipefail
source "$(dirname "$0")/../testbed/lib/common.sh"
cd "$ROOT"

fit() { have "$1" && "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; }

find_python() {
  local name
  for name in ${MOORING_PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 /usr/bin/python3; do
    if fit "$name"; then
      printf '%s\n' "$name"
      return 0
    fi
  done
  return 1
}

make_venv() {
  local python
  python=$(find_python) || {
    apt_install python3 python3 python3-venv
    python=$(find_python) || die "no Python from 3.11 to 3.14 is here. Install one, or name it in MOORING_PYTHON."
  }
  say "making .venv with $("$python" -V)"
  # Debian splits ensurepip off into python3-venv.
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if ! is_root || ! is_debian; then
      die "$python cannot make environments. Install its venv package (Debian: python3-venv)."
    fi
    apt_get python3-venv "$(basename "$(readlink -f "$(command -v "$python")")")-venv" || apt_get python3-venv
  fi
  rm -rf .venv
  "$python" -m venv .venv
}

(
  flock 6 # Two targets of one `make -j`, or two people in one checkout.
  { [[ -x .venv/bin/python ]] && .venv/bin/python -m pip --version >/dev/null 2>&1; } || make_venv
  pip=(.venv/bin/python -m pip --disable-pip-version-check)
  "${pip[@]}" install -q --require-hashes -r requirements/dev.txt ||
    die "the locked Python packages could not be installed (pip's words are above). Is there a network?"
  "${pip[@]}" install -q --no-deps --no-build-isolation --no-index -e .
  touch .venv/.stamp
) 6>"${TMPDIR:-/tmp}/mooring-bootstrap-$(printf '%s' "$ROOT" | sha256sum | cut -c1-12)-$(id -u).lock"
