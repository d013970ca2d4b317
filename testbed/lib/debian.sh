# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Root file systems from Debian's packages, for machines where no image registry answers. Sourced after common.sh.

# debian_tree SUITE DIR PREPARE PACKAGE...: a minimal Debian in DIR. PREPARE is a shell text run inside before the
# packages (it makes the users whose numbers the official images promise). Root only; DIR must be empty.
debian_tree() {
  local suite=$1 dir=$2 prepare=$3
  shift 3
  is_root || die "only root can build an image from Debian's packages. Run as root, or where an image registry answers."
  is_debian || die "building images needs Debian or Ubuntu, or an image registry; this machine has neither."
  apt_install debootstrap debootstrap debian-archive-keyring
  apt_install zstd zstd
  debian_base "$suite"
  zstd -dcq "$CACHE/suites/$suite.tar.zst" | tar -C "$dir" -x
  cp -L /etc/resolv.conf "$dir/etc/resolv.conf"
  chroot "$dir" sh -euc "$prepare"
  chroot "$dir" sh -euc '
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    apt-get clean
    rm -rf /var/lib/apt/lists/* /var/log/*.log /var/log/apt/* /var/cache/debconf/*-old
    rm -f /usr/sbin/policy-rc.d /etc/dpkg/dpkg.cfg.d/mooring-speed
  ' sh "$@"
  : >"$dir/etc/resolv.conf"
  rm -f "$dir/etc/hostname"
}

# debian_base SUITE: the suite's minimal system, bootstrapped once and kept (several images stand on one suite).
debian_base() {
  local suite=$1 file=$CACHE/suites/$1.tar.zst
  mkdir -p "$CACHE/suites"
  (
    flock 8
    [[ ! -s $file ]] || exit 0
    tree=$(mktemp -d "${TMPDIR:-/tmp}/mooring-suite.XXXXXX")
    trap 'rm -rf --one-file-system "$tree"' EXIT
    chmod 755 "$tree"
    debootstrap --variant=minbase "$suite" "$tree"
    # No service may start inside, no cluster is made at install time, and nothing needs fsync or manual pages here.
    printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
    chmod 755 "$tree/usr/sbin/policy-rc.d"
    mkdir -p "$tree/etc/postgresql-common" "$tree/etc/dpkg/dpkg.cfg.d"
    printf 'create_main_cluster = false\n' >"$tree/etc/postgresql-common/createcluster.conf"
    printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' 'path-include=/usr/share/doc/*/copyright' \
      'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/locale/*' >"$tree/etc/dpkg/dpkg.cfg.d/mooring-speed"
    rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/lib/apt/lists/* "$tree"/usr/share/man/*
    tar -C "$tree" -c . | zstd -q -3 -T0 -o "$file.part" -f
    mv "$file.part" "$file"
  ) 8>"$CACHE/suites/$suite.lock"
}
