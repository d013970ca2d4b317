# SPDX-License-Identifier: Apache-2.0
"""A fingerprint changes with every field of what is wanted, and with nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from mooring.domain.model import desired
from mooring.domain.model.desired import (
    Desired,
    Destination,
    Endpoint,
    File,
    Folder,
    Link,
    Mount,
    Policy,
    Probe,
    Route,
    SecretSpec,
    Tls,
    Volume,
    Workload,
    fingerprint,
)
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.observed import ObjectSeen
from mooring.domain.model.release import ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef

SHOP = Ref("OdooInstance", "default", "shop")
PASSWORD = SecretKey(SecretRef("default", "shop-database"), "password", "1")
WEB = Workload(
    role="web",
    replicas=1,
    image=ResolvedRelease("odoo:14.0", "odoo@sha256:1", "sha256:1"),
    argv=("odoo",),
    user=(101, 101),
    files=(File("/etc/odoo.conf", ("db_password = ", PASSWORD)),),
    mounts=(Mount("filestore", "/data"),),
    folders=(Folder("/addons", "/srv/addons", "1"),),
    probe=Probe(("true",)),
)
WHOLE = Desired(
    SHOP,
    Identity("here", "shop-1"),
    workloads=(WEB,),
    volumes=(Volume("filestore"),),
    secrets=(SecretSpec(SecretRef("default", "shop-database"), ("password",)),),
    endpoints=(Endpoint("shop", (Route("/", "web", 8069),), tls=Tls("none")),),
    policy=Policy(allow=(Destination("db.example.com", 5432),)),
    links=(Link(Ref("DatabaseServer", "default", "default"), "database", 5432),),
)


def _changed(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case None:
            return "now given"
        case tuple():
            return (*value, "more")
        case _:
            raise AssertionError(f"no change known for {value!r}")


def _variants(value: Any) -> list[tuple[str, Any]]:
    """`value` with one field changed, for every field at any depth, by its path."""
    if isinstance(value, tuple):
        found = [("+", _changed(value))]
        for index, item in enumerate(value):
            found += [(f"[{index}]{path}", (*value[:index], new, *value[index + 1 :])) for path, new in _variants(item)]
        return found
    if not is_dataclass(value) or isinstance(value, type):
        return [("", _changed(value))]
    return [
        (f".{field.name}{path}", replace(value, **{field.name: new}))
        for field in fields(value)
        for path, new in _variants(getattr(value, field.name))
    ]


VARIANTS = _variants(WHOLE)


@pytest.mark.parametrize("variant", [pytest.param(new, id=path) for path, new in VARIANTS])
def test_fingerprint_changes_with_each_field(variant: Desired) -> None:
    assert fingerprint(variant) != fingerprint(WHOLE)


def test_fingerprint_of_every_variant_is_its_own() -> None:
    assert len({fingerprint(variant) for _, variant in VARIANTS}) == len(VARIANTS)


def test_fingerprint_variants_reach_every_dataclass_of_the_module() -> None:
    """A new dataclass has to be put into `WHOLE`, so that its fields are tried."""
    made = {kind for kind in vars(desired).values() if isinstance(kind, type) and is_dataclass(kind)}
    assert made <= _kinds(WHOLE)


def _kinds(value: Any) -> set[type]:
    if isinstance(value, tuple):
        return {kind for item in value for kind in _kinds(item)}
    if not is_dataclass(value):
        return set()
    return {type(value)} | {kind for field in fields(value) for kind in _kinds(getattr(value, field.name))}


def test_fingerprint_of_an_equal_value_is_equal() -> None:
    assert fingerprint(replace(WHOLE, workloads=(replace(WEB),))) == fingerprint(WHOLE)


def test_fingerprint_is_the_same_in_another_process() -> None:
    code = (
        "from mooring.domain.model.desired import Volume, fingerprint\n"
        "print(fingerprint(Volume('filestore', size_bytes=5)))"
    )
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    assert other == fingerprint(Volume("filestore", size_bytes=5)) == "61c07f1a08e57108"


def test_fingerprint_is_16_hex_digits() -> None:
    assert len(fingerprint(WHOLE)) == 16
    assert int(fingerprint(WHOLE), 16) >= 0


def test_fingerprint_tells_a_slot_from_a_text() -> None:
    slot, text = File("/a", (PASSWORD,)), File("/a", (str(PASSWORD),))
    assert fingerprint(slot) != fingerprint(text)


def test_file_names_its_slots() -> None:
    assert list(WEB.files[0].secrets()) == [PASSWORD]


def test_fingerprint_does_not_mind_the_order_of_a_mapping() -> None:
    one, other = (
        ObjectSeen("container", "shop-web", "1", None, detail)
        for detail in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"})
    )
    assert fingerprint(one) == fingerprint(other)
