# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The engine image from Debian's packages: a base (Python, PostgreSQL's clients, the locked dependencies), rebuilt when
# the lock changes, and a thin layer with this checkout's package, rebuilt in seconds. Sourced by images.sh.
# deploy/images/engine/Dockerfile makes the same image where registries answer.

ENGINE_PYTHON=3.13 # Debian trixie's

# build_python ARG...: the development environment's Python (it has pip and the build backend), made when missing.
build_python() {
  [[ -x $ROOT/.venv/bin/python ]] || "$ROOT/tools/bootstrap.sh" >&2
  "$ROOT/.venv/bin/python" "$@"
}

engine_version() { sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$ROOT/src/mooring/__init__.py"; }
engine_tag() { printf 'mooring-engine:%s\n' "$(engine_version)"; }
engine_base_tag() {
  printf 'mooring-engine-base:%s\n' "$(cat "$ROOT/requirements/engine.txt" "$ROOT/testbed/lib/engine_image.sh" |
    sha256sum | cut -c1-12)"
}

# engine_source: a digest of what the top layer holds.
engine_source() {
  (
    cd "$ROOT" || exit
    find src/mooring -type f ! -name '*.pyc' | LC_ALL=C sort | xargs sha256sum
    cat pyproject.toml deploy/images/engine/layer.Dockerfile
    engine_base_tag
  ) | sha256sum | cut -c1-16
}

# stage_engine_dependencies TREE: the locked wheels for the image's Python and this machine's architecture.
stage_engine_dependencies() {
  local arch
  arch=$(uname -m)
  build_python -m pip install -q --no-compile --no-deps --require-hashes --only-binary :all: \
    --implementation cp --python-version "$ENGINE_PYTHON" \
    --platform "manylinux_2_28_$arch" --platform "manylinux_2_17_$arch" --platform "manylinux2014_$arch" \
    --target "$1/opt/mooring" -r "$ROOT/requirements/engine.txt"
  rm -rf "$1/opt/mooring/bin"
  # Compiled here, by the image's own Python, once: a task must start within 1.5 s and cannot write here.
  chroot "$1" python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/mooring
}

ensure_engine_image() {
  local name base source context=$RUN/context-engine
  name=$(engine_tag) base=$(engine_base_tag)
  source=$(engine_source)
  present "$name" "$source" && return 0
  ensure_root_image "$base"
  (
    flock 7
    present "$name" "$source" && exit 0
    say "$name: putting this checkout's package on $base"
    mkdir -p "$context"
    cp "$ROOT/deploy/images/engine/layer.Dockerfile" "$context/Dockerfile"
    build_python -m pip install -q --no-compile --no-deps --no-build-isolation --no-index \
      --target "$context/mooring" "$ROOT" 2>"$RUN/pip" || { cat "$RUN/pip" >&2; exit 1; }
    rm -rf "$context/mooring/bin"
    build_image "$name" "$base" "$context" "$source"
  ) 7>"$CACHE/images/mooring-engine.lock"
}
