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
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?:(?P<sign>:?-)(?P<default>[^}]*))?\}|(?P<plain>\w+))")
_PLACE = re.compile(r"%\((\w+)\)s")
_SERIES = re.compile(r"(?:^|/)odoo:(\d+)(?:\.0)?(?:\D|$)")
_MEMORY = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[kmg]?)b?", re.IGNORECASE)


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
        secrets: key → value of the secret `r2`.
        told: one sentence for each thing that a person has to know or to do.
    """

    documents: tuple[dict[str, Any], ...]
    secrets: Mapping[str, str] = field(repr=False)
    told: tuple[str, ...] = ()


def translate_stack(stack: Stack, *, name: str, namespace: str) -> Translated | None:
    """What to write for a stack; None where no service of it runs Odoo."""
    service = _odoo_service(stack)
    if service is None:
        return None
    told: list[str] = []
    image = str(service.get("image", ""))
    if "build" in service:
        told.append("The stack builds its image itself: build it, and name it as `image`.")
    spec: dict[str, Any] = {"image": image, "init": {"enabled": False}}
    if resources := _resources(service):
        spec["resources"] = resources
    if stack.addons:
        spec["addons"] = [{"path": stack.addons}]
    if options := _options(stack, image, told):
        spec["configOptions"] = options
    documents: list[dict[str, Any]] = []
    secrets = {key: stack.env[variable] for variable, key in _KEYS.items() if stack.env.get(variable)}
    bucket, endpoint = stack.env.get("CF_R2_BUCKET", ""), stack.env.get("CF_R2_ENDPOINT", "")
    if bucket and endpoint and len(secrets) == len(_KEYS):
        spec["backup"] = {"repository": REPOSITORY, "schedule": SCHEDULE, "retention": {"within": WITHIN}}
        repository = {"url": f"s3://{bucket}/mooring", "endpoint": endpoint, "credentialsSecretRef": {"name": SECRET}}
        documents.append(_document("BackupRepository", REPOSITORY, namespace, repository))
        told.append(
            "Backups are not encrypted yet: `mooring secret set r2 passphrase`, and `encryption: {passphraseSecretRef: "
            "{name: r2, key: passphrase}}` in the BackupRepository before its first apply."
        )
    else:
        secrets = {}
        told.append("`.env` names no whole CF_R2_… bucket: nothing is backed up until you add a BackupRepository.")
    told += _ports(service)
    documents.append(_document("OdooInstance", name, namespace, spec))
    return Translated(tuple(documents), secrets, tuple(told))


def _document(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name} if namespace == "default" else {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _odoo_service(stack: Stack) -> Mapping[str, Any] | None:
    services = stack.compose.get("services")
    if not isinstance(services, Mapping):
        return None
    found = [
        (name, {key: _filled(value, stack.env) for key, value in one.items()})
        for name, one in services.items()
        if isinstance(one, Mapping)
    ]
    images = [one for _, one in found if re.search(r"(?:^|/)odoo(?:[:@]|$)", str(one.get("image", "")))]
    named = [one for name, one in found if "odoo" in str(name) and ("image" in one or "build" in one)]
    return next(iter(images + named), None)


def _filled(value: Any, env: Mapping[str, str]) -> Any:
    """Texts with `${NAME}`, `${NAME:-default}` and `$NAME` replaced, as Compose does."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value(found, env), value)
    if isinstance(value, Mapping):
        return {key: _filled(one, env) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, env) for one in value]
    return value


def _value(found: re.Match[str], env: Mapping[str, str]) -> str:
    known = env.get(found["braced"] or found["plain"])
    if known is None or (not known and found["sign"] == ":-"):
        return found["default"] or ""
    return known


def _resources(service: Mapping[str, Any]) -> dict[str, str]:
    deploy = service.get("deploy")
    limits = deploy.get("resources", {}).get("limits", {}) if isinstance(deploy, Mapping) else {}
    cpu, memory = limits.get("cpus", service.get("cpus")), limits.get("memory", service.get("mem_limit"))
    found = {"cpu": str(cpu)} if cpu else {}
    size = _MEMORY.fullmatch(str(memory or ""))
    if size:
        found["memory"] = size["number"] + {"k": "Ki", "m": "Mi", "g": "Gi", "": ""}[size["unit"].lower()]
    return found


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


def _ports(service: Mapping[str, Any]) -> list[str]:
    ports = [str(one) for one in service.get("ports") or () if isinstance(one, str | int)]
    published = ", ".join(one for one in ports if ":" in one)
    if not published:
        return []
    return [
        f"The stack publishes {published}: name the host in `ingress.hosts`; the port is free once the stack is stopped."
    ]
