# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The engine image, by the code that builds it for users (tools/engine_image.py): a base (Python, PostgreSQL's clients,
# the locked dependencies), cached and rebuilt when the lock or its recipe changes, and a thin layer with this checkout's
# package, rebuilt in seconds. Sourced by images.sh. The recipe is deploy/images/engine.

# build_python ARG...: the development environment's Python (it has pip and the build backend), made when missing.
build_python() {
  [[ -x $ROOT/.venv/bin/python ]] || "$ROOT/tools/bootstrap.sh" >&2
  "$ROOT/.venv/bin/python" "$@"
}

engine_version() { sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$ROOT/src/mooring/__init__.py"; }
engine_tag() { printf 'mooring-engine:%s\n' "$(engine_version)"; }
engine_base_tag() { build_python "$ROOT/tools/engine_image.py" names | sed -n 2p; }
# engine_source: a digest of what the image holds.
engine_source() { build_python "$ROOT/tools/engine_image.py" names | sed -n 3p; }

# build_engine WHAT ARG...: with the engine that this run works on.
build_engine() {
  if [[ $CLI == podman ]]; then
    [[ -n ${MOORING_PODMAN_HOST:-} ]] || eval "$("$ROOT/testbed/engines.sh" podman)"
    export DOCKER_HOST=$MOORING_PODMAN_HOST
  fi
  build_python "$ROOT/tools/engine_image.py" "$@"
}

# build_engine_base NAME RECIPE: as from_debian; a registry is asked first where one may be.
build_engine_base() {
  local asked=()
  [[ ${MOORING_IMAGES:-} != build ]] || asked=(--no-registry)
  build_engine base "${asked[@]}" --label "$RECIPE_LABEL=$2"
  to_cache "$1" "$2"
}

ensure_engine_image() {
  local name base source log=$CACHE/logs/mooring-engine.log
  name=$(engine_tag) base=$(engine_base_tag)
  source=$(engine_source)
  present "$name" "$source" && return 0
  ensure_root_image "$base"
  (
    flock 7
    present "$name" "$source" && exit 0
    say "$name: putting this checkout's package on $base"
    build_engine image --label "$RECIPE_LABEL=$source" >"$log" 2>&1 || {
      tail -n 20 "$log" >&2
      die "$name could not be built on $base; the end of its log ($log) is above."
    }
    # What this replaced has no name any more; only our own goes.
    "$CLI" image prune -f --filter "label=$RECIPE_LABEL" >/dev/null 2>&1 || true
  ) 7>"$CACHE/images/mooring-engine.lock"
}
