# SPDX-License-Identifier: Apache-2.0
"""What a repository is, without any store: names of its objects, manifests of snapshots, retention, what a prune may delete."""
