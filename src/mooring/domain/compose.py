# SPDX-License-Identifier: Apache-2.0
"""What a Compose stack with a backup script says, in Mooring's words: manifests, secrets, and what is said to the person.

Pure: texts are read and files written by `mooring import compose`. It translates settings, never data; what has no place
here is named, not dropped without a word. The names of the variables are those of the stack that uploads to Cloudflare R2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mooring.domain.compose_service import find_service, image_of, printable, resources_of, tell_left, tell_ports
from mooring.domain.odoo.errors import UnknownSeries
from mooring.domain.odoo.facts import OdooFacts, facts_for
from mooring.domain.odoo.options import judge_options, looks_secret

API_VERSION = "mooring.dev/v1alpha1"
SECRET = "r2"  # noqa: S105 - the name of a Secret, not one
REPOSITORY = "offsite"
# The stack's own crontab entry, and for how long it keeps an archive.
SCHEDULE, WITHIN = "0 2 */5 * *", "30d"
_KEYS = {"CF_R2_ACCESS_KEY_ID": "accessKeyId", "CF_R2_SECRET_ACCESS_KEY": "secretAccessKey"}
_FOLLOWS = frozenset(
    {"workers", "limit_memory_soft", "limit_memory_hard", "db_maxconn", "max_cron_threads", "proxy_mode"}
)
_PLACE = re.compile(r"%\((\w+)\)s")
_SERIES = re.compile(r"(?:^|/)odoo:(\d+)(?:\.0)?(?:\D|$)")


@dataclass(frozen=True)
class Stack:
    """The files of a stack, parsed.

    Attributes:
        env: of `.env`; holds secrets.
        compose: of the Compose file.
        conf: the options of odoo.conf.
        addons: absolute path of the folder with add-ons; None where there are none.
    """

    env: Mapping[str, str] = field(repr=False)
    compose: Mapping[str, Any] = field(repr=False)
    conf: Mapping[str, str] = field(repr=False)
    addons: str | None = None


@dataclass(frozen=True)
class Translated:
    """The same, as Mooring has it.

    Attributes:
        documents: manifests as data, in the order in which they are written.
        secrets: key → value of the secret that the manifest names.
        told: one sentence for each thing that a person has to know or to do.
    """

    documents: tuple[dict[str, Any], ...]
    secrets: Mapping[str, str] = field(repr=False)
    told: tuple[str, ...] = ()


def translate_stack(
    stack: Stack, *, name: str, namespace: str, image: str | None = None, secret: str = SECRET
) -> Translated:
    """What to write for a stack.

    Args:
        stack: its files.
        name: of the instance.
        namespace: of all that is written.
        image: that of the instance, whatever the Compose file names.
        secret: name of the Secret with the bucket's keys.

    Raises:
        StackRefused: no service of it runs Odoo, or none says with which image.
    """
    service = find_service(stack.compose, stack.env, image=image)
    told: list[str] = []
    spec: dict[str, Any] = {"image": image or image_of(service, stack.env), "init": {"enabled": False}}
    if "build" in service and image is None:
        told.append("The stack builds its image itself: build it, and name it as `image`.")
    if resources := resources_of(service, stack.env, told):
        spec["resources"] = resources
    if stack.addons:
        spec["addons"] = [{"path": stack.addons}]
    if options := _options(stack, spec["image"], told):
        spec["configOptions"] = options
    documents: list[dict[str, Any]] = []
    secrets = {key: stack.env[variable] for variable, key in _KEYS.items() if stack.env.get(variable)}
    bucket, endpoint = stack.env.get("CF_R2_BUCKET", ""), stack.env.get("CF_R2_ENDPOINT", "")
    if bucket and endpoint and len(secrets) == len(_KEYS):
        spec["backup"] = {"repository": REPOSITORY, "schedule": SCHEDULE, "retention": {"within": WITHIN}}
        repository = {"url": f"s3://{bucket}/mooring", "endpoint": endpoint, "credentialsSecretRef": {"name": secret}}
        documents.append(_document("BackupRepository", REPOSITORY, namespace, repository))
        place = "" if namespace == "default" else f"-n {namespace} "
        told.append(
            f"Backups are not encrypted yet: `mooring secret set {place}{secret} passphrase`, and `encryption: "
            f"{{passphraseSecretRef: {{name: {secret}, key: passphrase}}}}` in the BackupRepository before its first apply."
        )
    else:
        secrets = {}
        told.append("`.env` names no whole CF_R2_… bucket: nothing is backed up until you add a BackupRepository.")
    told += tell_left(service)
    told += tell_ports(service, stack.env)
    documents.append(_document("OdooInstance", name, namespace, spec))
    return Translated(tuple(documents), secrets, tuple(map(printable, told)))


def _document(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name} if namespace == "default" else {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _options(stack: Stack, image: str, told: list[str]) -> dict[str, str]:
    facts = _facts(image)
    filled = {key: _PLACE.sub(lambda at: stack.env.get(at[1], at[0]), text) for key, text in stack.conf.items()}
    wanted = {}
    for key, text in filled.items():
        if key in _FOLLOWS:
            told.append(f"odoo.conf: {key} follows from `resources` and `workers` here.")
        elif looks_secret(key) and text not in ("", "False"):
            told.append(f"odoo.conf: {key} holds a secret and was left out.")
        elif _PLACE.search(text):
            told.append(f"odoo.conf: {key} names a variable that `.env` has not, and was left out.")
        else:
            wanted[key] = text
    if facts is None:
        told.append(f"The image {image} does not say its series: the options of odoo.conf were left out.")
        return {}
    judged = judge_options(wanted, facts=facts, environment="Production", logs_volume=False, workers=0)
    told += [f"odoo.conf: left out: {one}" for one in judged.refusals]
    return dict(judged.accepted)


def _facts(image: str) -> OdooFacts | None:
    found = _SERIES.search(image)
    try:
        return facts_for(f"{found[1]}.0") if found else None
    except UnknownSeries:
        return None
