#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Pin every dependency with its hashes in requirements/*.txt. Run by `make lock` after a change of pyproject.toml;
# `tools/lock.sh --upgrade` also takes newer versions. The files name no index and no machine.
set -euo pipefail
cd "$(dirname "$0")/.."

pin() {
  .venv/bin/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url \
    --custom-compile-command 'make lock' "$@"
}

# The development lock holds everything; the others are cut out of it, so that tests run what is shipped.
pin --universal --python-version 3.11 "$@" pyproject.toml --all-extras --group dev requirements/build.in \
  -o requirements/dev.txt
part() {
  local name=$1
  shift
  pin --universal --python-version 3.11 "$@" -c requirements/dev.txt -o "requirements/$name.txt"
}
part runtime pyproject.toml
part engine pyproject.toml --extra engine
part build requirements/build.in
# Odoo's add-ons ask for Odoo and for Python 3.6: they are pinned without following what they depend on.
pin --no-deps --only-binary :all: "$@" requirements/oca.in -o requirements/oca.txt

if grep -nE 'https?://|file:|(^|[[:space:]])/' requirements/*.txt; then
  echo 'lock: a requirement file names an index, a host or a path of this machine (above)' >&2
  exit 1
fi
