# SPDX-License-Identifier: Apache-2.0
"""The text of a first manifest, with comments. Pure; what it gives is checked by the caller."""

from __future__ import annotations

import json
from collections.abc import Sequence

_HEAD = """\
# What you want; `mooring apply -f THIS-FILE` makes it so, again and again.
# Every field is explained by `mooring schema`, which editors read.
apiVersion: mooring.dev/v1alpha1
kind: OdooInstance
metadata:
  name: {name}
{namespace}spec:
  # The release. A new image here is an upgrade: with a safety copy, and back again if it fails.
  image: {image}

  # What one web replica may use. The number of Odoo's workers follows from it.
  resources: {{cpu: "2", memory: 2Gi}}
  replicas: 1

  # How the database is made, once.
  init:
    modules: [{modules}]
    demo: false
    # language: fr_FR
    # country: FR

  # Your own add-ons: folders of this machine whose subfolders are modules. The first has precedence.
  # addons:
  #   - path: /srv/odoo/addons

  # Entries of odoo.conf. What would break a safety rule is refused, with the reason.
  # configOptions:
  #   limit_time_real: "300"

"""
_INGRESS = """\
  # Host names under which people reach it. `tls`: acmeEmail (Let's Encrypt), secretName, internal: true or none: true.
  ingress:
    hosts: [{hosts}]
    tls: {{internal: true}}
"""
_NO_INGRESS = """\
  # Without host names a free port of this machine's loopback address is published, and stays the same.
  # ingress:
  #   hosts: [{name}.example.com]
  #   tls: {{acmeEmail: you@example.com}}
"""


def render_sample(name: str, *, namespace: str, image: str, modules: Sequence[str], hosts: Sequence[str]) -> str:
    """YAML of one instance."""
    text = _HEAD.format(
        name=json.dumps(name),
        namespace="" if namespace == "default" else f"  namespace: {json.dumps(namespace)}\n",
        image=json.dumps(image),
        modules=", ".join(json.dumps(one) for one in modules),
    )
    if hosts:
        return text + _INGRESS.format(hosts=", ".join(json.dumps(one) for one in hosts))
    return text + _NO_INGRESS.format(name=name)
