# SPDX-License-Identifier: Apache-2.0
"""Quantities are read exactly or refused, and written back in one canonical form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring.api.quantity import Cpu, Duration, Size


@pytest.mark.parametrize(
    ("written", "millicores", "canonical"),
    [
        pytest.param(2, 2000, "2", id="whole-number"),
        pytest.param(0.5, 500, "500m", id="decimal-number"),
        pytest.param("500m", 500, "500m", id="milli"),
        pytest.param("1500m", 1500, "1500m", id="more-than-one-in-milli"),
        pytest.param("2000m", 2000, "2", id="whole-in-milli"),
        pytest.param("0.001", 1, "1m", id="smallest"),
    ],
)
def test_cpu_valid_text_is_read_exactly(written: object, millicores: int, canonical: str) -> None:
    cpu = Cpu.parse(written)
    assert cpu.millicores == millicores
    assert str(cpu) == canonical


@pytest.mark.parametrize(
    "written",
    ["", "0", 0, "0m", "-1", "1.0005", "500 m", "1k", "1M", "abc", "1e3", "010", "٢", True, None, [], "9" * 30],
    ids=repr,
)
def test_cpu_invalid_text_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"processor time"):
        Cpu.parse(written)


@pytest.mark.parametrize(
    ("written", "size", "canonical"),
    [
        pytest.param("2Gi", 2 * 1024**3, "2Gi", id="binary"),
        pytest.param("2048Mi", 2 * 1024**3, "2Gi", id="binary-becomes-larger-unit"),
        pytest.param("1.5Gi", 1536 * 1024**2, "1536Mi", id="binary-with-part"),
        pytest.param("10G", 10**10, "10G", id="decimal"),
        pytest.param("1500k", 1_500_000, "1500k", id="decimal-kilo"),
        pytest.param(1048576, 1048576, "1Mi", id="bytes"),
        pytest.param("1000", 1000, "1000", id="bytes-as-text"),
    ],
)
def test_size_valid_text_is_read_exactly(written: object, size: int, canonical: str) -> None:
    parsed = Size.parse(written)
    assert parsed.bytes == size
    assert str(parsed) == canonical


@pytest.mark.parametrize(
    "written", ["", "0", "ten gigs", "10GB", "10gi", "-1Gi", "0.5", "1.5", "9Ei", "1e9", True, None, {}], ids=repr
)
def test_size_invalid_text_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"amount"):
        Size.parse(written)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("10m", 600), ("24h", 86_400), ("14d", 1_209_600), ("2w", 1_209_600), ("1h30m", 5_400), ("0s", 0)],
)
def test_duration_valid_text_is_read_exactly(written: str, seconds: int) -> None:
    duration = Duration.parse(written)
    assert duration.seconds == duration.timedelta.total_seconds() == seconds
    assert str(duration) == written


@pytest.mark.parametrize(
    "written", ["", "10", 10, "1.5h", "30m1h", "10 m", "1y", "h", "-1h", "99999w", None, "1M"], ids=repr
)
def test_duration_invalid_text_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"length of time"):
        Duration.parse(written)


@given(st.integers(1, 10**9))
def test_cpu_canonical_text_reads_back_to_the_same(millicores: int) -> None:
    assert Cpu.parse(str(Cpu(millicores))) == Cpu(millicores)


@given(st.integers(1, 2**63 - 1), st.booleans())
def test_size_canonical_text_reads_back_to_the_same(size: int, binary: bool) -> None:
    assert Size.parse(str(Size(size, binary))) == Size(size)
