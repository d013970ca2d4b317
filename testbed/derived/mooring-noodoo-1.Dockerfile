# SPDX-License-Identifier: Apache-2.0
# An image that is no Odoo.
ARG BASE
FROM ${BASE}
CMD ["sleep", "infinity"]
