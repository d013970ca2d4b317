# SPDX-License-Identifier: Apache-2.0
# Odoo 14 with the add-on mooring_demo 14.0.1.0.0: what upgrade tests start from.
ARG BASE
FROM ${BASE}
USER root
COPY addons/ /usr/lib/python3/dist-packages/odoo/addons/
USER odoo
