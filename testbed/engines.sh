#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Have a container engine that answers: the one that runs, else (root, Debian or Ubuntu) one installed and started here.
#
#   eval "$(testbed/engines.sh docker)"     prints `export DOCKER_HOST=...`
#   eval "$(testbed/engines.sh podman)"     prints `export MOORING_PODMAN_HOST=...` and `export CONTAINERS_CONF=...`
#   eval "$(testbed/engines.sh any)"        the one that answers, asked for and found as Mooring does, else one of the above;
#                                           prints `export MOORING_CLI=docker|podman` and what leads there
#   testbed/engines.sh podman-images [NAME...]   have the images in Podman: Docker's, else made in Podman itself
#   testbed/engines.sh status               what runs, and who started it
#   testbed/engines.sh stop                 stop what this script started, and nothing else
set -euo pipefail
source "$(dirname "$0")/lib/common.sh"
STATE=$(state_dir)

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
  local left=$(($1 * 5))
  shift
  until "$@" >/dev/null 2>&1; do
    ((left-- > 0)) || return 1
    sleep 0.2
  done
}

docker_answers() { timeout 10 docker -H "$1" version >/dev/null 2>&1; }

ensure_docker() {
  local host socket
  apt_install docker docker.io
  for host in ${DOCKER_HOST:-} "$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)" \
    unix:///var/run/docker.sock "unix:///run/user/$(id -u)/docker.sock"; do
    if [[ -n $host ]] && docker_answers "$host"; then
      printf 'export DOCKER_HOST=%q\n' "$host"
      return 0
    fi
  done
  is_root || die "no Docker engine answers and only root can start one. Start it, or name it in DOCKER_HOST."
  apt_install dockerd docker.io
  apt_install iptables iptables
  socket=/var/run/docker.sock
  if ! alive "$STATE/dockerd.pid" dockerd; then
    # Where systemd or another starter runs a daemon already, ours must not fight with it.
    if [[ -d /run/systemd/system ]]; then
      say "starting Docker's service (stop it with: systemctl stop docker)"
      systemctl start docker || die "systemctl could not start docker. See journalctl -u docker."
    else
      say "starting dockerd (log: $STATE/dockerd.log; stop it with: testbed/engines.sh stop)"
      setsid dockerd --pidfile "$STATE/dockerd.pid" >"$STATE/dockerd.log" 2>&1 </dev/null 6>&- 7>&- &
    fi
  fi
  wait_for 60 docker_answers "unix://$socket" || {
    tail -n 15 "$STATE/dockerd.log" >&2 || true
    die "dockerd did not answer within a minute; the end of its log ($STATE/dockerd.log) is above."
  }
  printf 'export DOCKER_HOST=unix://%s\n' "$socket"
}

podman_answers() { [[ -S $1 ]] && timeout 10 curl -fsS --unix-socket "$1" http://d/_ping; }

# Without CAP_SYS_RESOURCE no limit above the machine's own can be set ("error setting rlimit type 7"): stay below.
below() { if [[ $2 == unlimited ]] || (($2 > $1)); then printf '%s\n' "$1"; else printf '%s\n' "$2"; fi; }
write_containers_conf() {
  local files processes
  files=$(below 4096 "$(ulimit -Hn)") processes=$(below 4096 "$(ulimit -Hu)")
  cat >"$1" <<CONF
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
}

# Docker on the same machine sets the FORWARD policy to DROP and lets bridged traffic pass iptables: then two containers on
# one internal network of Podman's cannot talk. What stays inside one bridge of Podman's is let through.
let_podman_bridges_talk() {
  [[ $EUID -eq 0 ]] && have iptables && [[ $(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null) == 1 ]] || return 0
  local rule=(FORWARD -i podman+ -m physdev --physdev-is-bridged -j ACCEPT)
  iptables -C "${rule[@]}" 2>/dev/null || iptables -I "${rule[@]}"
}

ensure_podman() {
  local socket=$STATE/podman.sock conf=$STATE/containers.conf
  if [[ -n ${MOORING_PODMAN_HOST:-} ]]; then
    podman_answers "${MOORING_PODMAN_HOST#unix://}" >/dev/null ||
      die "MOORING_PODMAN_HOST=$MOORING_PODMAN_HOST does not answer. Start it, or unset the variable."
    printf 'export MOORING_PODMAN_HOST=%q\n' "$MOORING_PODMAN_HOST"
    return 0
  fi
  apt_install podman podman
  apt_install curl curl ca-certificates
  [[ -s $conf ]] || write_containers_conf "$conf"
  if ! podman_answers "$socket" >/dev/null; then
    say "starting Podman's API service (log: $STATE/podman.log; stop it with: testbed/engines.sh stop)"
    rm -f "$socket"
    CONTAINERS_CONF=$conf setsid podman system service --time=0 "unix://$socket" >"$STATE/podman.log" 2>&1 \
      </dev/null 6>&- 7>&- &
    printf '%s\n' "$!" >"$STATE/podman.pid"
    wait_for 30 podman_answers "$socket" || {
      tail -n 15 "$STATE/podman.log" >&2 || true
      die "Podman's service did not answer within 30 s; the end of its log ($STATE/podman.log) is above."
    }
  fi
  let_podman_bridges_talk
  printf 'export MOORING_PODMAN_HOST=unix://%s\nexport CONTAINERS_CONF=%s\n' "$socket" "$conf"
}

# use_podman HOST: Podman's own program files images where its engine finds them; the engine image is built by its API.
use_podman() {
  apt_install podman podman
  printf 'export MOORING_CLI=podman\nexport DOCKER_HOST=%q\nexport MOORING_PODMAN_HOST=%q\n' "$1" "$1"
  [[ $1 != "unix://$STATE/podman.sock" ]] || printf 'export CONTAINERS_CONF=%q\n' "$STATE/containers.conf"
}

# The engine that answers, else one that is installed and does not run, else Docker from Debian's packages.
ensure_any() {
  local said kind host how settings
  [[ -x $ROOT/.venv/bin/python ]] || "$ROOT/tools/bootstrap.sh" >&2
  if said=$("$ROOT/.venv/bin/python" "$ROOT/tools/find_engine.py" 2>&1); then
    read -r kind host how <<<"$(tail -n 1 <<<"$said")"
    if [[ $kind == podman ]]; then
      use_podman "$host"
      return 0
    fi
    apt_install docker docker.io
    printf 'export MOORING_CLI=docker\n'
    # What was asked for may need more than its address (a context's certificates): everybody finds it in the same way.
    [[ $how == asked ]] || printf 'export DOCKER_HOST=%q\n' "$host"
    return 0
  fi
  [[ -z ${DOCKER_HOST:-} ]] || die "DOCKER_HOST=$DOCKER_HOST does not answer. Start that engine, or unset the variable. ${said//$'\n'/; }"
  say "${said//$'\n'/; }"
  if have podman && { ! have dockerd || ! is_root; }; then
    settings=$(ensure_podman)
    eval "$settings"
    use_podman "$MOORING_PODMAN_HOST"
    return 0
  fi
  settings=$(ensure_docker)
  printf 'export MOORING_CLI=docker\n%s\n' "$settings"
}

# Docker's images go over in one archive (layers that they share go once), then get the full names under which
# Podman's Docker-compatible API looks for short ones.
podman_images() {
  local name id missing=() ids=() wanted=("$@") i
  [[ ! -s $STATE/containers.conf ]] || export CONTAINERS_CONF=$STATE/containers.conf
  if ! have docker || ! docker version >/dev/null 2>&1; then
    MOORING_CLI=podman exec "$ROOT/testbed/images.sh" "$@"
  fi
  ((${#wanted[@]})) || readarray -t wanted < <("$ROOT/testbed/images.sh" --list)
  for i in "${!wanted[@]}"; do
    [[ ${wanted[i]} != engine ]] || wanted[i]=$("$ROOT/testbed/images.sh" --tag engine)
    name=${wanted[i]}
    id=$(docker image inspect --format '{{.Id}}' "$name")
    [[ sha256:$(podman image inspect --format '{{.Id}}' "docker.io/library/$name" 2>/dev/null) != "$id" ]] || continue
    missing+=("$name") ids+=("${id#sha256:}")
  done
  ((${#missing[@]})) || return 0
  say "copying to Podman: ${missing[*]}"
  docker save "${missing[@]}" | podman load -q >/dev/null
  for i in "${!missing[@]}"; do podman tag "${ids[i]}" "docker.io/library/${missing[i]}"; done
}

status() {
  local name
  for name in dockerd podman; do
    if alive "$STATE/$name.pid" "$name"; then
      printf '%s\trunning\tpid %s, started by this script, log %s\n' "$name" "$(<"$STATE/$name.pid")" "$STATE/$name.log"
    else
      printf '%s\tnot started by this script\n' "$name"
    fi
  done
}

stop() {
  local name pid
  for name in podman dockerd; do
    if alive "$STATE/$name.pid" "$name"; then
      pid=$(<"$STATE/$name.pid")
      say "stopping $name ($pid)"
      kill "$pid"
      wait_for 30 test ! -e "/proc/$pid" || die "$name ($pid) does not stop. Its log is $STATE/$name.log."
    fi
    rm -f "$STATE/$name.pid"
  done
  rm -f "$STATE/podman.sock"
}

case ${1:-} in
  docker) (flock 5; ensure_docker 5>&-) 5>"$STATE/docker.lock" ;;
  podman) (flock 5; ensure_podman 5>&-) 5>"$STATE/podman.lock" ;;
  any) (flock 5; ensure_any 5>&-) 5>"$STATE/any.lock" ;;
  podman-images) shift; podman_images "$@" ;;
  status) status ;;
  stop) stop ;;
  *) die "say what: docker, podman, any, podman-images, status or stop. See the head of $0." ;;
esac
