# SPDX-License-Identifier: Apache-2.0
# The release to upgrade to: mooring_demo 14.0.1.1.0, whose migration leaves a trace in the data.
ARG BASE
FROM ${BASE}
USER root
COPY addons/ /usr/lib/python3/dist-packages/odoo/addons/
USER odoo
