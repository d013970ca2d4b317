#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Docker engine of one's own, for tests that kill, restart or fill an engine. It lives in namespaces of its own
# (processes, mounts, network), so it disturbs no other engine, and killing its first process is a power cut: engine,
# containers, bridges and mounts are gone at once; what was written to its data root stays. Root only.
#
#   testbed/private-dockerd.sh start DIR [--disk SIZE] [--images "NAME..."]   print `export DOCKER_HOST=unix://DIR/docker.sock`
#   testbed/private-dockerd.sh crash DIR     SIGKILL dockerd alone; containers go on until the next start
#   testbed/private-dockerd.sh kill DIR      the power cut; `start DIR` then is the boot
#   testbed/private-dockerd.sh exec DIR COMMAND...   in its network: there 127.0.0.1:PORT is what a container published
#   testbed/private-dockerd.sh forward DIR PORT      make that 127.0.0.1:PORT reachable outside too, until kill or stop
#   testbed/private-dockerd.sh fill DIR [KEEP-BYTES]   leave only so much room on the disk (0); `free DIR` gives it back
#   testbed/private-dockerd.sh stop DIR      stop it for good; DIR stays (its data root can be removed then)
#
# --disk SIZE puts the data root on an ext4 file of that size (as 6G), which `fill` then fills.
# Its network is its own because a second dockerd in one network deletes the first one's docker0 (seen with 20.10, with
# --bridge=none and with a bridge and address pool of its own); there is no way out of it to other machines.
# --images has them there. A data root with them is kept in the cache; a new DIR on the same file system gets its layers by
# hard links, since no engine writes into a layer that it has, and copies of the small rest.
set -euo pipefail
source "$(dirname "$0")/lib/common.sh"

usage() { die "say: $PROGRAM start|crash|kill|exec|forward|fill|free|stop DIR. See the head of $0."; }
[[ $# -ge 2 ]] || usage
verb=$1
mkdir -p "$2"
DIR=$(cd "$2" && pwd)
shift 2
is_root || die "a private engine needs root."
ID=$(printf '%s' "$DIR" | sha256sum | cut -c1-8)

init_alive() { alive "$DIR/init.pid" docker-init; }
setting() { [[ -e $DIR/$1 ]]; }
inside() { nsenter --target "$(<"$DIR/init.pid")" --mount --pid --net "$@"; }
answers() { timeout 10 docker -H "unix://$DIR/docker.sock" version >/dev/null 2>&1; }

# The namespaces: docker-init reaps what is orphaned and is the process whose end ends all.
start_init() {
  # What a boot finds empty: sockets, process numbers, runtime state.
  rm -rf "$DIR/exec" "$DIR/docker.pid" "$DIR/docker.sock"
  mkdir -p "$DIR/data" "$DIR/exec"
  unshare --mount --pid --net --fork --kill-child --mount-proc --propagation private \
    docker-init -- sleep infinity </dev/null >/dev/null 2>&1 3>&- &
  local outer=$! left=50
  until pgrep -P "$outer" >"$DIR/init.pid" && init_alive; do
    ((left-- > 0)) || die "the namespaces could not be made. Is this a container without CAP_SYS_ADMIN?"
    sleep 0.1
  done
  disown "$outer"
  inside ip link set lo up
  if setting disk; then
    [[ -s $DIR/disk.img ]] || { truncate -s "$(<"$DIR/disk")" "$DIR/disk.img" && mkfs.ext4 -q -m 0 "$DIR/disk.img"; }
    inside mount -o loop "$DIR/disk.img" "$DIR/data"
  fi
}

# The kept data root for these images: another one when their recipes or the engine change.
kept_root() {
  (
    cd "$ROOT"
    printf '%s\n' "$(dockerd --version)" "$@"
    cat testbed/lib/recipes.sh requirements/*.txt
    find testbed/addons testbed/derived -type f ! -name '*.pyc' | LC_ALL=C sort | xargs cat
  ) | sha256sum | cut -c1-16 | sed "s|^|$CACHE/engines/|"
}

# copy_root FROM TO: a data root whose engine does not run.
copy_root() {
  local part=$2.part entry
  rm -rf "$part"
  mkdir -p "$part"
  for entry in "$1"/*; do
    case ${entry##*/} in
      overlay2) cp -al "$entry" "$part/" 2>/dev/null || { rm -rf "$part"; return 1; } ;;
      *) cp -a "$entry" "$part/" ;;
    esac
  done
  rm -rf "$2"
  mv "$part" "$2"
}

# keep_root KEPT: later engines start from this one's images. Another run may be doing the same: the first one stays.
keep_root() {
  (
    flock 6
    [[ ! -d $1 ]] || exit 0
    end_engine
    find "$CACHE/engines" -mindepth 1 -maxdepth 1 -type d -printf "%T@ %p\n" | sort -rn | sed "1d; s|^[^ ]* ||" | xargs -r rm -rf
    copy_root "$DIR/data" "$1" || say "$CACHE is on another file system than $DIR: each private engine loads its images anew."
  ) 6>"$CACHE/engines/lock"
  start_engine
}

start() {
  local images=() kept=''
  while (($#)); do
    case $1 in
      --disk) printf '%s\n' "$2" >"$DIR/disk"; shift 2 ;;
      --images) read -ra images <<<"$2"; shift 2 ;;
      *) usage ;;
    esac
  done
  ((${#DIR} < 80)) || die "$DIR is too long a path for a socket (80 characters). Choose a shorter one."
  for program in unshare:util-linux pgrep:procps ip:iproute2 mkfs.ext4:e2fsprogs iptables:iptables python3:python3 dockerd:docker.io; do
    apt_install "${program%%:*}" "${program#*:}"
  done
  if ((${#images[@]})) && ! setting disk; then
    mkdir -p "$CACHE/engines"
    kept=$(kept_root "${images[@]}")
    if [[ -d $kept && ! -d $DIR/data/overlay2 ]]; then
      (flock -s 6; copy_root "$kept" "$DIR/data" || true) 6>"$CACHE/engines/lock"
    fi
  fi
  init_alive || start_init
  start_engine
  if ((${#images[@]})); then
    DOCKER_HOST=unix://$DIR/docker.sock MOORING_CLI=docker "$ROOT/testbed/images.sh" "${images[@]}" >&2
    [[ -z $kept || -d $kept ]] || keep_root "$kept"
  fi
  printf 'export DOCKER_HOST=unix://%s/docker.sock\n' "$DIR"
}

start_engine() {
  if ! answers; then
    rm -f "$DIR/docker.pid" "$DIR/exec/containerd/containerd.pid"
    setsid nsenter --target "$(<"$DIR/init.pid")" --mount --pid --net \
      dockerd --data-root "$DIR/data" --exec-root "$DIR/exec" --pidfile "$DIR/docker.pid" \
      --host "unix://$DIR/docker.sock" --cgroup-parent "mooring-private-$ID" \
      >>"$DIR/dockerd.log" 2>&1 </dev/null 3>&- &
    local left=150
    until answers; do
      ((left-- > 0)) || { tail -n 15 "$DIR/dockerd.log" >&2; die "dockerd did not answer within 30 s (log above)."; }
      sleep 0.2
    done
  fi
}

end_engine() {
  local left=150
  if init_alive && [[ -s $DIR/docker.pid ]]; then
    inside kill -TERM "$(<"$DIR/docker.pid")" 2>/dev/null || true
    while [[ -e $DIR/docker.pid ]] && ((left-- > 0)); do sleep 0.2; done
  fi
}

# power_cut: all processes of the namespaces end with the first one; wait until they have.
power_cut() {
  local pid
  end_relays
  if init_alive; then
    pid=$(<"$DIR/init.pid")
    kill -KILL "$pid"
    while [[ -e /proc/$pid ]]; do sleep 0.05; done
  fi
  rm -f "$DIR/init.pid" "$DIR/docker.sock"
}

# forward PORT: the relay keeps its port open through `crash`, not through a power cut.
forward() {
  local file=$DIR/relay-$1.pid
  init_alive || die "no engine runs in $DIR."
  ! alive "$file" relay.py || return 0
  setsid python3 "$ROOT/testbed/lib/relay.py" "$(<"$DIR/init.pid")" "$1" >"$DIR/relay-$1.log" 2>&1 </dev/null 3>&- &
  printf '%s\n' "$!" >"$file"
  local left=50
  until grep -q listening "$DIR/relay-$1.log"; do
    { ((left-- > 0)) && alive "$file"; } || { tail -n 3 "$DIR/relay-$1.log" >&2; die "port $1 cannot be forwarded."; }
    sleep 0.1
  done
}

end_relays() {
  local file
  for file in "$DIR"/relay-*.pid; do
    ! alive "$file" relay.py || kill "$(<"$file")"
    rm -f "$file"
  done
}

crash() {
  init_alive || die "no engine runs in $DIR."
  # The number in the file is the one inside.
  inside kill -KILL "$(<"$DIR/docker.pid")"
  while answers; do sleep 0.1; done
}

stop() {
  end_engine
  power_cut
  find /sys/fs/cgroup -depth -type d -path "*/mooring-private-$ID*" -exec rmdir {} + 2>/dev/null || true
  rm -rf "$DIR/exec" "$DIR/disk"
}

fill() {
  local keep=${1:-0} room
  setting disk || die "$DIR has no disk of its own. Start it with --disk SIZE."
  room=$(inside df --output=avail -B1 "$DIR/data" | tail -n 1)
  ((room > keep)) || return 0
  inside fallocate -l "$((room - keep))" "$DIR/data/ballast" 2>/dev/null || inside dd if=/dev/zero of="$DIR/data/ballast" bs=1M \
    count="$(((room - keep) / 1048576))" status=none
  ((keep > 0)) || inside dd if=/dev/zero of="$DIR/data/ballast2" bs=64k status=none 2>/dev/null || true
}

case $verb in
  start) start "$@" ;;
  crash) crash ;;
  kill) power_cut ;;
  exec)
    init_alive || die "no engine runs in $DIR."
    exec nsenter --target "$(<"$DIR/init.pid")" --net env DOCKER_HOST="unix://$DIR/docker.sock" "$@"
    ;;
  forward) forward "$@" ;;
  fill) fill "$@" ;;
  free) inside rm -f "$DIR/data/ballast" "$DIR/data/ballast2" ;;
  stop) stop ;;
  *) usage ;;
esac
