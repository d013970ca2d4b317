# SPDX-License-Identifier: Apache-2.0
"""Whatever is fed to the reader, it returns resources or raises ManifestError with faults, and nothing else."""

from __future__ import annotations

import contextlib
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mooring.api.errors import ManifestError
from mooring.api.kinds import KINDS, Manifest
from mooring.api.loader import dump_yaml, load_documents
from tests.unit.api.builders import API, EXAMPLE, VALID_SPECS

SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["file:/a", "*.x", "0 2 * * *", "10Gi", "odoo:18.0", "s3://b/c", "UTC", "https://a/b", "Staging"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
)


def _read(data: bytes) -> None:
    """Read; what is valid must survive being written and read again."""
    resources: tuple[Manifest, ...] = ()
    refused: ManifestError | None = None
    try:
        resources = load_documents(data, source="f")
    except ManifestError as error:
        refused = error
    assert bool(resources) != (refused is not None and bool(refused.faults) and bool(str(refused)))
    for resource in resources:
        assert load_documents(dump_yaml(resource).encode(), source="again") == (resource,)


@SETTINGS
@given(st.binary(max_size=400))
def test_reader_random_bytes_raises_nothing_else(data: bytes) -> None:
    _read(data)


@SETTINGS
@given(st.text(alphabet="ab:-?&*!%@`|>'\"{}[],#~ \n\t\r<.=0\\\u2028\ufeff", max_size=200))
def test_reader_random_yaml_text_raises_nothing_else(text: str) -> None:
    _read(text.encode())


@SETTINGS
@given(st.data())
def test_reader_mutated_bytes_of_a_valid_manifest_raise_nothing_else(data: st.DataObject) -> None:
    mutated = bytearray(EXAMPLE)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(mutated)))
        end = min(len(mutated), start + data.draw(st.integers(0, 12)))
        mutated[start:end] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"\n", b": ", b"- ", b"&a ", b"*a", b"{"])
        )
    _read(bytes(mutated))


@st.composite
def documents(draw: st.DrawFn) -> dict[Any, Any]:
    """A document with known fields at known places and any values in them."""
    kind = draw(st.sampled_from(list(KINDS)))
    spec: dict[Any, Any] = dict(VALID_SPECS[kind])
    fields = KINDS[kind].model_fields["spec"].annotation
    assert fields is not None
    names = sorted(str(info.alias) for info in fields.model_fields.values())
    for name in draw(st.lists(st.sampled_from(names), max_size=4)):
        inner = draw(values)
        spec[name] = {draw(st.sampled_from(names)): inner} if draw(st.booleans()) else inner
    whole: dict[Any, Any] = {"apiVersion": API, "kind": kind, "metadata": {"name": "a"}, "spec": spec}
    if draw(st.booleans()):
        whole[draw(st.sampled_from(["apiVersion", "kind", "metadata", "spec", "status"]))] = draw(values)
    return whole


@SETTINGS
@given(st.lists(documents(), min_size=1, max_size=2))
def test_reader_known_fields_with_any_values_raise_nothing_else(written: list[dict[Any, Any]]) -> None:
    text = ""
    with contextlib.suppress(yaml.YAMLError):
        text = yaml.safe_dump_all(written)
    _read(text.encode("utf-8", errors="surrogatepass"))
