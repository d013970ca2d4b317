# SPDX-License-Identifier: Apache-2.0
# Real third-party add-ons (OCA) beside the demo add-on.
ARG BASE
FROM ${BASE}
USER root
COPY addons/ /usr/lib/python3/dist-packages/odoo/addons/
USER odoo
