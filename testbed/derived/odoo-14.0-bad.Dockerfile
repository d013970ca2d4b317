# SPDX-License-Identifier: Apache-2.0
# The release whose upgrade fails: mooring_demo 14.0.1.2.0, whose migration raises.
ARG BASE
FROM ${BASE}
USER root
COPY addons/ /usr/lib/python3/dist-packages/odoo/addons/
USER odoo
