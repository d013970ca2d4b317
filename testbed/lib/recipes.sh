# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# What each image of the test ground is made of. Sourced by images.sh.
#
# Numbers of users, paths and settings are those of the official images, so that nothing tested here leans on a
# difference; their entry points are left out on purpose: Mooring gives command, user and environment itself.

RECIPE_LABEL=dev.mooring.testbed.recipe
ROOT_IMAGES=(odoo:14.0 postgres:17 caddy:2 postgres:15 postgres:13 mooring-machine:12)
DERIVED_IMAGES=(odoo:14.0-base odoo:14.0-next odoo:14.0-bad odoo:14.0-dies odoo:14.0-oca mooring-noodoo:1)

# recipe_of NAME: sets SUITE, PACKAGES, PREPARE and FINISH (shell run inside), CONFIG (Dockerfile lines) and STAGE (a
# function given the tree, or empty).
recipe_of() {
  PREPARE=: FINISH=: STAGE='' CONFIG=()
  case $1 in
    odoo:14.0)
      SUITE=bullseye PACKAGES=(odoo-14)
      PREPARE='groupadd -r -g 101 odoo; useradd -r -u 101 -g 101 -d /var/lib/odoo -s /usr/sbin/nologin odoo
        install -d -o odoo -g odoo /var/lib/odoo'
      FINISH='mkdir -p /mnt/extra-addons; chown odoo: /mnt/extra-addons'
      CONFIG=('ENV LANG=C.UTF-8' 'USER odoo' 'CMD ["odoo"]' 'EXPOSE 8069 8071 8072'
        'VOLUME ["/var/lib/odoo", "/mnt/extra-addons"]')
      ;;
    postgres:*)
      local major=${1#*:}
      case $major in 13) SUITE=bullseye ;; 15) SUITE=bookworm ;; 17) SUITE=trixie ;; esac
      PACKAGES=("postgresql-$major" gosu)
      PREPARE='groupadd -r -g 999 postgres
        useradd -r -u 999 -g 999 -d /var/lib/postgresql -s /bin/bash postgres'
      FINISH='mkdir -p /var/lib/postgresql/data; chown -R postgres: /var/lib/postgresql
        chmod 1777 /var/lib/postgresql/data
        install -d -o postgres -g postgres -m 3777 /var/run/postgresql'
      CONFIG=("ENV PATH=/usr/lib/postgresql/$major/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        'ENV LANG=C.UTF-8' "ENV PG_MAJOR=$major" 'ENV PGDATA=/var/lib/postgresql/data' 'CMD ["postgres"]'
        'EXPOSE 5432' 'VOLUME ["/var/lib/postgresql/data"]')
      ;;
    caddy:2)
      SUITE=bookworm PACKAGES=(caddy ca-certificates)
      FINISH='mkdir -p /config/caddy /data/caddy /srv'
      CONFIG=('ENV XDG_CONFIG_HOME=/config' 'ENV XDG_DATA_HOME=/data' 'WORKDIR /srv' 'EXPOSE 80 443 2019'
        'CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]')
      ;;
    mooring-machine:12)
      # A fresh server: what an administrator has who made one of Debian's minimal system. Boots systemd.
      SUITE=bookworm PACKAGES=(systemd systemd-sysv dbus python3 python3-venv ca-certificates iproute2 procps)
      CONFIG=('CMD ["/sbin/init"]')
      ;;
    *) die "no recipe for $1." ;;
  esac
}

# recipe_hash NAME: 16 hex digits that change with anything that goes into the image.
recipe_hash() {
  # The engine image's base is named by what is in it.
  [[ $1 != mooring-engine-base:* ]] || { printf '%s\n' "${1#*:}"; return 0; }
  (
    recipe_of "$1"
    printf '%s\n' "$SUITE" "${PACKAGES[@]}" "$PREPARE" "$FINISH" "$STAGE" "${CONFIG[@]}" "$(uname -m)"
  ) | sha256sum | cut -c1-16
}

known() {
  local name
  [[ $1 == engine || $1 == "$(engine_tag)" ]] && return 0
  for name in "${ROOT_IMAGES[@]}" "${DERIVED_IMAGES[@]}"; do [[ $name == "$1" ]] && return 0; done
  return 1
}

is_derived() { [[ " ${DERIVED_IMAGES[*]} " == *" $1 "* ]]; }

derived_base() {
  case $1 in
    mooring-noodoo:1) printf 'caddy:2\n' ;;
    odoo:14.0-base) printf 'odoo:14.0\n' ;;
    odoo:14.0-dies) printf 'odoo:14.0-next\n' ;;
    *) printf 'odoo:14.0-base\n' ;;
  esac
}

# root_images_for NAME...: the root images under the named ones, each once, in the order of the table.
root_images_for() {
  local name base wanted=' '
  for name in "$@"; do
    base=$name
    while is_derived "$base"; do base=$(derived_base "$base"); done
    [[ $name == engine || $name == "$(engine_tag)" ]] && base=$(engine_base_tag)
    wanted+="$base "
  done
  for name in "${ROOT_IMAGES[@]}"; do
    if [[ $wanted == *" $name "* ]]; then printf '%s\n' "$name"; fi
  done
  if [[ $wanted =~ \ (mooring-engine-base:[^ ]+)\  ]]; then printf '%s\n' "${BASH_REMATCH[1]}"; fi
}

# derived_context NAME DIR: the build context: the image's Dockerfile and the files that it adds.
derived_context() {
  local name=$1 dir=$2 kind=${1#*:14.0-}
  mkdir -p "$dir"
  cp "$ROOT/testbed/derived/${name//[:\/]/-}.Dockerfile" "$dir/Dockerfile"
  case $kind in
    base | next | bad)
      mkdir -p "$dir/addons"
      cp -r "$ROOT/testbed/addons/base/." "$dir/addons/"
      [[ $kind == base ]] || cp -r "$ROOT/testbed/addons/$kind/." "$dir/addons/"
      find "$dir/addons" -name __pycache__ -prune -exec rm -rf {} +
      ;;
    oca) stage_oca_addons "$dir/addons" ;;
    dies) cp "$ROOT/testbed/derived/dies.py" "$dir/" ;;
  esac
}

# derived_hash NAME BASE-ID: changes with the base image and with every file that the image adds.
derived_hash() {
  (
    cd "$ROOT" || exit
    printf '%s\n' "$1" "$2"
    cat "testbed/derived/${1//[:\/]/-}.Dockerfile" testbed/derived/dies.py requirements/oca.txt
    find testbed/addons -type f ! -path '*/__pycache__/*' | LC_ALL=C sort | xargs sha256sum
  ) | sha256sum | cut -c1-16
}

# stage_oca_addons DIR: real third-party add-ons, from hash-pinned wheels, unpacked (they hold odoo/addons/NAME).
stage_oca_addons() {
  local wheels=$CACHE/wheels/oca
  mkdir -p "$wheels" "$1"
  build_python -m pip download -q --no-deps --only-binary :all: --require-hashes -d "$wheels" \
    -r "$ROOT/requirements/oca.txt" ||
    die "the OCA's add-ons could not be downloaded from the Python package index. Is there a network?"
  build_python - "$1" "$ROOT/requirements/oca.txt" "$wheels" <<'PY'
import pathlib, re, sys, zipfile

target, lock, wheels = map(pathlib.Path, sys.argv[1:])
for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.M):
    (wheel,) = wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.startswith("odoo/addons/"):
                inside = target / member.removeprefix("odoo/addons/")
                inside.parent.mkdir(parents=True, exist_ok=True)
                inside.write_bytes(archive.read(member))
PY
}
