#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Have programs that a few tests need beside the engines; each prints what it found or made, and does nothing twice.
#
#   testbed/tools.sh compose    the command of a Compose implementation: `docker compose` or `docker-compose`
#   testbed/tools.sh quadlet    a root folder of Debian 13 with Podman's systemd generator in it, for chroot
#   testbed/tools.sh registry   the program of an image registry: Debian's `docker-registry`
#   testbed/tools.sh restic     the program restic, which the benchmarks measure beside: Debian's
#
# What is missing is installed (root, Debian or Ubuntu). MOORING_CACHE holds the folder.
set -euo pipefail
source "$(dirname "$0")/lib/common.sh"
source "$ROOT/testbed/lib/debian.sh"

GENERATOR=usr/lib/systemd/system-generators/podman-system-generator

ensure_compose() {
  if have docker && docker compose version >/dev/null 2>&1; then
    printf 'docker compose\n'
    return 0
  fi
  apt_install docker-compose docker-compose
  printf 'docker-compose\n'
}

# unpacked PACKAGE: the program of that name, beside and not installed: docker-registry would bring a service that listens
# on port 5000, and what a benchmark measures beside is nobody's tool here.
unpacked() {
  local package=$1 program=$CACHE/$1/usr/bin/$1
  mkdir -p "$CACHE"
  (
    flock 7
    [[ ! -x $program ]] || exit 0
    is_debian || die "$package is missing and this is no Debian or Ubuntu."
    say "unpacking $package in $CACHE/$package"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    # By default root hands downloads to a user without rights, who cannot write here.
    apt-get download -qq -o APT::Sandbox::User=root "$package" >&2 ||
      { apt-get update -qq >&2 && apt-get download -qq -o APT::Sandbox::User=root "$package" >&2; }
    dpkg-deb -x "$package"_*.deb "$work/tree"
    rm -rf "${CACHE:?}/$package"
    mv "$work/tree" "$CACHE/$package"
  ) 7>"$CACHE/$package.lock"
  printf '%s\n' "$program"
}

# Podman 4.3 of Debian 12 has no quadlet, and only a whole Debian 13 has the libraries of its Podman.
ensure_quadlet() {
  local tree=$CACHE/trees/trixie-podman
  mkdir -p "$CACHE/trees"
  (
    flock 7
    [[ ! -x $tree/$GENERATOR ]] || exit 0
    is_root || die "only root can make a Debian 13 with Podman. Run as root."
    say "making a Debian 13 with Podman in $tree"
    rm -rf --one-file-system "$tree" "$tree.part"
    mkdir -p "$tree.part"
    debian_tree trixie "$tree.part" : podman >"$CACHE/trees/trixie-podman.log" 2>&1 || {
      tail -n 15 "$CACHE/trees/trixie-podman.log" >&2
      die "Debian 13 with Podman could not be made; the end of the log ($CACHE/trees/trixie-podman.log) is above."
    }
    mv "$tree.part" "$tree"
  ) 7>"$CACHE/trees/trixie-podman.lock"
  printf '%s\n' "$tree"
}

case ${1:-} in
  compose) ensure_compose ;;
  quadlet) ensure_quadlet ;;
  registry) unpacked docker-registry ;;
  restic) unpacked restic ;;
  *) die "unknown tool '${1:-}'. See the head of $0." ;;
esac
