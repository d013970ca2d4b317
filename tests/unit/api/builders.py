# SPDX-License-Identifier: Apache-2.0
"""Manifests for tests: a valid text of each kind, and a document with one part of its spec exchanged."""

from __future__ import annotations

import json
from typing import Any

from mooring.api.errors import Fault, ManifestError
from mooring.api.kinds import Manifest
from mooring.api.loader import load_documents

API = "mooring.dev/v1alpha1"
REF = {"instanceRef": {"name": "shop"}}

VALID_SPECS: dict[str, dict[str, Any]] = {
    "OdooInstance": {"image": "odoo:18.0"},
    "DatabaseServer": {"managed": {}},
    "BackupRepository": {"url": "s3://shop-backups/odoo"},
    "OdooInitJob": REF,
    "OdooUpgradeJob": REF,
    "OdooBackupJob": {**REF, "repository": "offsite"},
    "OdooRestoreJob": {**REF, "source": {"snapshot": "latest"}},
    "OdooStagingRefreshJob": REF,
    "OdooOperation": {**REF, "type": "Stop"},
}

EXAMPLE = b"""\
apiVersion: mooring.dev/v1alpha1
kind: OdooInstance
metadata: {name: shop}
spec:
  image: odoo:18.0
  init: {modules: [sale_management, stock], language: fr_FR}
  ingress: {hosts: [shop.example.com], tls: {acmeEmail: ops@example.com}}
  backup: {repository: offsite, schedule: "0 2 * * *"}
---
apiVersion: mooring.dev/v1alpha1
kind: BackupRepository
metadata: {name: offsite}
spec:
  url: s3://shop-backups/odoo
  endpoint: https://ACCOUNT.r2.cloudflarestorage.com
  credentialsSecretRef: {name: r2}
  encryption: {passphraseSecretRef: {name: r2, key: passphrase}}
"""


def document(kind: str = "OdooInstance", *, name: str = "shop", **spec: Any) -> bytes:
    """A document of a kind as JSON, which is YAML; `spec` is put over the valid one, None takes a field out."""
    merged = {key: value for key, value in {**VALID_SPECS[kind], **spec}.items() if value is not None}
    whole = {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": merged}
    return json.dumps(whole, ensure_ascii=False).encode()


def load(data: bytes) -> Manifest:
    """The only document of a valid manifest."""
    (resource,) = load_documents(data, source="shop.yaml")
    return resource


def faults_of(data: bytes) -> tuple[Fault, ...]:
    """The faults of an invalid manifest; fails where it is valid."""
    try:
        load_documents(data, source="shop.yaml")
    except ManifestError as error:
        return error.faults
    raise AssertionError("the manifest was accepted")
