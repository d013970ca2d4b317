# SPDX-License-Identifier: Apache-2.0
"""Places that run instances. A target observes, converges and runs tasks; what it is given is neutral."""
