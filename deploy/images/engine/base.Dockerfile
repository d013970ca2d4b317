# SPDX-License-Identifier: Apache-2.0
# The engine image: Mooring with PostgreSQL's own programs, in which data tasks run (`mooring task ...`).
#
#   docker build -f deploy/images/engine/Dockerfile -t mooring-engine:VERSION .
#
# It runs as any user number, needs no home, writes nothing outside the volumes it is given. Clients of the newest major
# read and write every older server. Where no image registry answers, `testbed/images.sh engine` makes the same image
# from Debian's packages; there this file's base image stays unproved.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS builder
WORKDIR /build
COPY requirements/build.txt requirements/engine.txt requirements/
# The build backend comes from the lock, too.
RUN python3 -m pip install --no-cache-dir --no-compile --no-deps --require-hashes --only-binary :all: \
      --target /opt/mooring -r requirements/engine.txt \
 && python3 -m pip install --no-cache-dir --require-hashes --target /opt/build -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN PYTHONPATH=/opt/build python3 -m pip install --no-cache-dir --no-compile --no-deps --no-index --no-build-isolation \
      --target /opt/mooring . \
 && rm -rf /opt/mooring/bin

FROM ${PYTHON_IMAGE}
ARG PG_MAJORS="17"
# Debian trixie carries major 17. Any other comes from PostgreSQL's own packages for Debian, set up by Debian's script.
RUN apt-get update -qq \
 && if [ "$PG_MAJORS" != 17 ]; then \
      apt-get install -y -qq --no-install-recommends postgresql-common ca-certificates \
      && sh /usr/share/postgresql-common/pgdg/*.sh -y; \
    fi \
 && for major in $PG_MAJORS; do apt-get install -y -qq --no-install-recommends "postgresql-client-$major"; done \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/*
COPY --from=builder /opt/mooring /opt/mooring
# Compiled once, here: a task must start within 1.5 s, and whoever runs it cannot write here.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/mooring \
 && printf '#!/usr/bin/env python3\nimport sys\nfrom mooring.cli.main import main\nsys.exit(main())\n' \
    > /usr/local/bin/mooring \
 && chmod 755 /usr/local/bin/mooring
# Debian's wrappers in /usr/bin choose a major by clusters that are not here: the programs themselves come first.
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/mooring \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 \
    HOME=/tmp
WORKDIR /tmp
CMD ["mooring", "--help"]
