# SPDX-License-Identifier: Apache-2.0
# The engine image without Mooring itself: Python, PostgreSQL's own programs, and the locked packages that Mooring stands on.
# It changes when the lock does; layer.Dockerfile puts Mooring on it. Data tasks run in it (`mooring task ...`).
#
# Mooring builds both (`mooring setup`, `mooring apply`, `make image`), on the image that recipe.toml names or, where no
# registry answers, on the same from Debian's packages. The context is made by Mooring: requirements.txt, the lock, and
# dependencies/, those packages for the image's Python where a pip on this side could get them, else empty.
#
# It runs as any user number, needs no home, writes nothing outside the volumes it is given. Clients of the newest major
# read and write every older server.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS builder
COPY requirements.txt /build/
COPY dependencies/ /opt/mooring/
RUN if [ ! -d /opt/mooring/click ]; then \
      python3 -m pip install --no-cache-dir --no-compile --no-deps --require-hashes --only-binary :all: \
        --target /opt/mooring -r /build/requirements.txt; \
    fi \
 && rm -rf /opt/mooring/bin \
 # Compiled once, here: a task must start within 1.5 s, and whoever runs it cannot write here.
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/mooring

FROM ${PYTHON_IMAGE}
ARG PG_MAJORS="17"
# Debian trixie carries major 17. Any other comes from PostgreSQL's own packages for Debian, set up by Debian's script.
RUN missing=""; \
    for major in $PG_MAJORS; do \
      [ -x "/usr/lib/postgresql/$major/bin/pg_dump" ] || missing="$missing postgresql-client-$major"; \
    done; \
    [ -z "$missing" ] || { \
      apt-get update -qq \
      && if [ "$PG_MAJORS" != 17 ]; then \
           apt-get install -y -qq --no-install-recommends postgresql-common ca-certificates \
           && sh /usr/share/postgresql-common/pgdg/*.sh -y; \
         fi \
      && apt-get install -y -qq --no-install-recommends $missing \
      && apt-get clean \
      && rm -rf /var/lib/apt/lists/*; \
    }
COPY --from=builder /opt/mooring /opt/mooring
# Debian's wrappers in /usr/bin choose a major by clusters that are not here: the programs themselves come first.
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/mooring \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 \
    HOME=/tmp
WORKDIR /tmp
