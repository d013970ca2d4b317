# SPDX-License-Identifier: Apache-2.0
# The release that installs and upgrades well, and ends with an error as soon as it must serve.
ARG BASE
FROM ${BASE}
USER root
COPY dies.py /tmp/dies.py
RUN (printf "\n\n"; cat /tmp/dies.py) >> /usr/lib/python3/dist-packages/odoo/service/server.py && rm /tmp/dies.py
USER odoo
