#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run a command with engines that answer and images that are there:
#   testbed/with.sh [--images "NAME..."] ENGINE... -- COMMAND...
# ENGINE: docker, podman. The command finds them by DOCKER_HOST and MOORING_PODMAN_HOST (unix://... addresses).
# Or any, alone: the engine that answers, by DOCKER_HOST or as Mooring finds it; one is installed only where none does.
# Without --images all images are wanted; --images "" wants none. Podman gets Docker's images where both are asked for.
set -euo pipefail
source "$(dirname "$0")/lib/common.sh"

all=yes images=() engines=()
while (($#)); do
  case $1 in
    --images) all=no; read -ra images <<<"$2"; shift 2 ;;
    --) shift; break ;;
    *) engines+=("$1"); shift ;;
  esac
done
(($#)) || die "no command after --. See the head of $0."

for engine in "${engines[@]}"; do
  settings=$("$ROOT/testbed/engines.sh" "$engine")
  eval "$settings"
done
if [[ $all == yes || ${#images[@]} -gt 0 ]]; then
  if [[ " ${engines[*]} " == *' any '* ]]; then
    "$ROOT/testbed/images.sh" "${images[@]}"
  fi
  if [[ " ${engines[*]} " == *' docker '* ]]; then
    MOORING_CLI=docker "$ROOT/testbed/images.sh" "${images[@]}"
  fi
  if [[ " ${engines[*]} " == *' podman '* ]]; then
    "$ROOT/testbed/engines.sh" podman-images "${images[@]}"
  fi
fi
cd "$ROOT"
exec "$@"
