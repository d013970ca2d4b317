#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Have the images of the test ground in the engine, and do nothing where they are there already.
#
#   testbed/images.sh [NAME...]        all of them, or those named (`engine` stands for the engine image)
#   testbed/images.sh --list           what there is
#   testbed/images.sh --tag engine     the engine image's name for this checkout
#
# Each comes from the first that has it: the engine, the cache, a registry, Debian's packages (as root).
# MOORING_CLI=docker|podman (default: the first found; docker follows DOCKER_HOST); MOORING_CACHE=folder of the cache;
# MOORING_IMAGES=build never asks a registry; MOORING_IMAGE_JOBS=2 builds side by side.
set -euo pipefail
source "$(dirname "$0")/lib/common.sh"
source "$ROOT/testbed/lib/debian.sh"
source "$ROOT/testbed/lib/recipes.sh"
source "$ROOT/testbed/lib/engine_image.sh"

# --- the engine -------------------------------------------------------------------------------------------------
# Podman files short names under localhost/, where its Docker-compatible API does not look: names are always full.
ref() { if [[ $CLI == podman ]]; then printf 'docker.io/library/%s\n' "$1"; else printf '%s\n' "$1"; fi; }
label() { "$CLI" image inspect --format "{{index .Config.Labels \"$2\"}}" "$(ref "$1")" 2>/dev/null; }

# present NAME RECIPE: is the image there, made by this recipe, or from a registry (which gives it a digest)?
present() {
  local found
  found=$("$CLI" image inspect --format "{{index .Config.Labels \"$RECIPE_LABEL\"}}|{{len .RepoDigests}}" \
    "$(ref "$1")" 2>/dev/null) || return 1
  [[ $found == "$2|"* ]] && return 0
  # Podman invents digests for built images too: only one without our label can be a registry's.
  [[ $found == '|'* && $found != *'|0' && ${MOORING_IMAGES:-} != build ]]
}

# --- the sources ------------------------------------------------------------------------------------------------
cache_file() { printf '%s/images/%s-%s.tar.zst\n' "$CACHE" "${1//[:\/]/-}" "$2"; }

from_cache() {
  local file
  file=$(cache_file "$1" "$2")
  [[ -s $file ]] && have zstd || return 1
  say "$1: loading it from the cache"
  zstd -dcq "$file" | "$CLI" load -q >/dev/null || return 1
  # Podman files what Docker saved under localhost/.
  if [[ $CLI == podman ]] && podman image exists "localhost/$1"; then podman tag "localhost/$1" "$(ref "$1")"; fi
  present "$1" "$2"
}

to_cache() {
  local file
  have zstd || return 0
  file=$(cache_file "$1" "$2")
  mkdir -p "$CACHE/images"
  rm -f "$CACHE/images/${1//[:\/]/-}"-*.tar.zst
  "$CLI" save "$(ref "$1")" | zstd -q -1 -T0 -f -o "$file.part"
  mv "$file.part" "$file"
  find "$CACHE/images" -name 'mooring-engine-base-*.tar.zst' -mtime +14 -delete
}

# from_registry NAME: pull it. A registry that says nothing for 15 seconds is not asked again in this run.
from_registry() {
  local log=$RUN/pull-${1//[:\/]/-} pid waited=0
  [[ ${MOORING_IMAGES:-} != build && ! -e $RUN/no-registry ]] || return 1
  : >"$log"
  timeout 1200 "$CLI" pull "$(ref "$1")" >"$log" 2>&1 &
  pid=$!
  until grep -qE 'Pulling from|Copying blob|Getting image source' "$log" || ! kill -0 "$pid" 2>/dev/null; do
    if ((waited++ >= 30)); then
      kill "$pid" 2>/dev/null || true
      break
    fi
    sleep 0.5
  done
  if wait "$pid"; then
    say "$1: pulled"
    return 0
  fi
  : >"$RUN/no-registry"
  say "no image registry answers ($(tail -n 1 "$log" | cut -c1-160)); building from Debian's packages"
  return 1
}

# from_debian NAME RECIPE: bootstrap, import with the recipe's settings. Run as a process of its own (--build), because
# a shell forgets `set -e` in everything that a condition calls.
from_debian() {
  local name=$1 recipe=$2 tree changes=() line
  recipe_of "$name"
  tree=$(mktemp -d "${TMPDIR:-/tmp}/mooring-image.XXXXXX")
  chmod 755 "$tree"
  # shellcheck disable=SC2064
  trap "rm -rf --one-file-system '$tree'" EXIT
  debian_tree "$SUITE" "$tree" "$PREPARE" "${PACKAGES[@]}"
  chroot "$tree" sh -euc "$FINISH"
  if [[ -n $STAGE ]]; then "$STAGE" "$tree"; fi
  for line in "${CONFIG[@]}" "LABEL $RECIPE_LABEL=$recipe"; do changes+=(--change "$line"); done
  tar -C "$tree" --numeric-owner -c . | "$CLI" import "${changes[@]}" - "$(ref "$name")" >/dev/null
  to_cache "$name" "$recipe"
}

# --- what is wanted ---------------------------------------------------------------------------------------------
# ensure_root_image NAME: one that stands on no other.
ensure_root_image() {
  local name=$1 recipe log start
  recipe=$(recipe_hash "$name")
  present "$name" "$recipe" && return 0
  mkdir -p "$CACHE/images" "$CACHE/logs"
  (
    flock 7 # Two runs at once build an image once.
    present "$name" "$recipe" && exit 0
    from_cache "$name" "$recipe" && exit 0
    [[ $name == mooring-* ]] || ! from_registry "$name" || exit 0
    log=$CACHE/logs/${name//[:\/]/-}.log start=$SECONDS
    say "$name: building it (log: $log)"
    if ! MOORING_CLI=$CLI "$0" --build "$name" "$recipe" >"$log" 2>&1; then
      tail -n 15 "$log" >&2
      die "$name could not be built; the end of its log is above. Without a registry this needs root, Debian or Ubuntu, and a network."
    fi
    say "$name: built in $((SECONDS - start)) s"
  ) 7>"$CACHE/images/${name//[:\/]/-}.lock"
}

# ensure_derived_image NAME: a few files on top of another; the engine's own build cache makes it cheap.
ensure_derived_image() {
  local name=$1 base recipe
  base=$(derived_base "$name")
  ensure_image "$base"
  recipe=$(derived_hash "$name" "$("$CLI" image inspect --format '{{.Id}}' "$(ref "$base")")")
  present "$name" "$recipe" && return 0
  say "$name: building it on $base"
  derived_context "$name" "$RUN/context-${name//[:\/]/-}"
  build_image "$name" "$base" "$RUN/context-${name//[:\/]/-}" "$recipe"
}

# build_image NAME BASE CONTEXT RECIPE: the classic builder, which every engine has; without network.
build_image() {
  local log=$CACHE/logs/${1//[:\/]/-}.log
  mkdir -p "$CACHE/logs"
  DOCKER_BUILDKIT=0 "$CLI" build --network none --pull=false --build-arg "BASE=$(ref "$2")" \
    --label "$RECIPE_LABEL=$4" -t "$(ref "$1")" "$3" >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "$1 could not be built on $2; the end of its log ($log) is above."
  }
  # What this replaced has no name any more; only our own goes.
  "$CLI" image prune -f --filter "label=$RECIPE_LABEL" >/dev/null 2>&1 || true
}

ensure_image() {
  case $1 in
    engine | "$(engine_tag)") ensure_engine_image ;;
    *) if is_derived "$1"; then ensure_derived_image "$1"; else ensure_root_image "$1"; fi ;;
  esac
}

main() {
  local name failed=0 jobs=${MOORING_IMAGE_JOBS:-2} wanted=("$@")
  case ${1:-} in
    --list) printf '%s\n' "${ROOT_IMAGES[@]}" "${DERIVED_IMAGES[@]}" engine; exit 0 ;;
    --tag) engine_tag; exit 0 ;;
    --build)
      CLI=$(engine_cli)
      case $2 in
        mooring-engine-base:*) build_engine_base "$2" "$3" ;;
        *) from_debian "$2" "$3" ;;
      esac
      exit 0
      ;;
    -*) die "unknown option $1. See the head of $0." ;;
  esac
  ((${#wanted[@]})) || wanted=("${ROOT_IMAGES[@]}" "${DERIVED_IMAGES[@]}" engine)
  for name in "${wanted[@]}"; do known "$name" || die "unknown image '$name'. Known: $("$0" --list | tr '\n' ' ')"; done
  CLI=$(engine_cli)
  "$CLI" version >/dev/null 2>&1 || die "$CLI answers no call. Start it with testbed/engines.sh $CLI."
  RUN=$(mktemp -d)
  trap 'rm -rf "$RUN"' EXIT
  # Without it there is no cache: whoever pulls from a registry needs none.
  if is_root && is_debian; then apt_install zstd zstd; fi
  # The slow ones first and side by side; what stands on them afterwards, in order.
  local pids=() pid
  for name in $(root_images_for "${wanted[@]}"); do
    while (($(jobs -rp | wc -l) >= jobs)); do sleep 0.2; done
    (trap - EXIT; ensure_root_image "$name") &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  ((failed == 0)) || exit 1
  for name in "${wanted[@]}"; do ensure_image "$name"; done
}

main "$@"
