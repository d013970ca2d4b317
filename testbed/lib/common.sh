# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts of the test ground share: messages, folders, packages, the engine's program. Sourced, never run.

# shellcheck disable=SC2034
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PROGRAM=$(basename "$0")
CACHE=${MOORING_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}}/mooring

# say TEXT...: words for a person, on stderr, so that stdout stays data.
say() { printf '%s: %s\n' "$PROGRAM" "$*" >&2; }

# die WHAT HAPPENED. WHAT TO DO.
die() {
  say "error: $*"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [[ $(id -u) == 0 ]]; }

is_debian() {
  [[ -r /etc/os-release ]] && (
    . /etc/os-release
    [[ " ${ID:-} ${ID_LIKE:-} " == *" debian "* || ${ID:-} == ubuntu ]]
  )
}

# apt_install PROGRAM PACKAGE...: install the packages if the program is missing (root, Debian or Ubuntu).
apt_install() {
  local program=$1
  shift
  have "$program" && return 0
  is_root || die "$program is missing and only root may install it. Run as root, or install: $*"
  if ! is_debian || ! have apt-get; then
    die "$program is missing and this is no Debian or Ubuntu. Install it with this system's package manager: $*"
  fi
  say "installing $*"
  apt_get "$@" || die "apt-get could not install $*. Its words are above; is there a network?"
  hash -r
  have "$program" || die "$program is still missing after installing $*."
}

# apt_get PACKAGE...: quiet, without services started behind our back, one at a time.
apt_get() {
  mkdir -p "$CACHE"
  (
    flock 9
    # The lists of a fresh machine are empty or old; a first failure is worth one refresh.
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 ||
      { apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
  ) 9>"$CACHE/apt.lock"
}

# The folder of what runs now: sockets, process numbers, logs. One a user; gone with a reboot where the system allows.
state_dir() {
  local dir
  if [[ -n ${MOORING_TESTBED_STATE:-} ]]; then
    dir=$MOORING_TESTBED_STATE
  elif is_root; then
    dir=/run/mooring-testbed
  else
    dir=${XDG_RUNTIME_DIR:-$CACHE}/mooring-testbed
  fi
  mkdir -p "$dir"
  chmod 700 "$dir"
  printf '%s\n' "$dir"
}

# alive PIDFILE [WORD]: does the process of that file live, and is it still the program (not a later one of that number)?
alive() {
  local pid
  [[ -s $1 ]] || return 1
  pid=$(<"$1")
  [[ -r /proc/$pid/cmdline ]] || return 1
  [[ -z ${2:-} ]] || tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- "$2"
}

# The program that speaks to the engine: $MOORING_CLI, else docker, else podman.
engine_cli() {
  if [[ -n ${MOORING_CLI:-} ]]; then
    printf '%s\n' "$MOORING_CLI"
  elif have docker; then
    printf 'docker\n'
  elif have podman; then
    printf 'podman\n'
  else
    die "neither docker nor podman is on the PATH. Run testbed/engines.sh docker first."
  fi
}
