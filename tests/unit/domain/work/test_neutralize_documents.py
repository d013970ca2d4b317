# SPDX-License-Identifier: Apache-2.0
"""Documents of the tasks that neutralize: they survive JSON, and refuse what cannot work."""

from __future__ import annotations

import ast
import base64
import json
import re
import subprocess
import zlib
from typing import Any, get_args

import pytest

from mooring.domain.odoo.neutralize import Update
from mooring.domain.odoo.neutralize_checks import CHECKS
from mooring.domain.odoo.neutralize_rules import CREDENTIAL_COLUMNS, CREDENTIAL_PARAMETERS, PLAIN_VALUES, RULES
from mooring.domain.odoo.outgoing import CANCELLABLE
from mooring.domain.odoo.outgoing import QUEUES as WAITING
from mooring.domain.work import neutralize_script
from mooring.domain.work.codec import Document
from mooring.domain.work.common import Connection, Fence
from mooring.domain.work.neutralize import (
    DatabaseNeutralize,
    DatabaseVerifyNeutral,
    NeutralizeResult,
    OutgoingCancel,
    OutgoingCount,
    OutgoingKind,
    ReleaseCode,
    unpack_code,
)
from mooring.domain.work.neutralize_errors import ReleaseUnread

OWNER = Connection("db", 5432, "shop", "/run/mooring/owner")
FENCE = Fence("op-1", 2)
URL = "https://staging.example"
TIME = "2026-01-02T03:04:05+00:00"


def packed(value: Any) -> str:
    """As the script packs it."""
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


CODE = ReleaseCode("14.0", False, 2, packed({"modules": ["base", "web"], "sql": {"base": "SELECT 1"}}))
DOCUMENTS: tuple[Document, ...] = (
    DatabaseNeutralize(OWNER, FENCE, "i" * 20, "copy", CODE, URL, statements=("SELECT 1",)),
    DatabaseVerifyNeutral(OWNER, "copy", URL, origin="0" * 64),
    OutgoingCount(OWNER, "shop", TIME),
    OutgoingCancel(OWNER, FENCE, "i" * 20, "shop", TIME, ("mail", "queue-job")),
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda item: item.TASK)
def test_document_through_json_stays_the_same(document: Document) -> None:
    assert type(document).from_json(json.loads(json.dumps(document.to_json()))) == document


def test_result_through_json_stays_the_same() -> None:
    result = NeutralizeResult("copy", (), ("base",), 1, ("a.b",), (), True, None, "none", 5)
    assert NeutralizeResult.from_json(json.loads(json.dumps(result.to_json()))) == result


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"base_url": "staging.example"}, "baseUrl", id="no-scheme"),
        pytest.param({"base_url": "https://a b"}, "baseUrl", id="space"),
        pytest.param({"database": "postgres"}, "server's own", id="servers-own"),
        pytest.param({"instance": ""}, "instance", id="no-instance"),
        pytest.param({"first": True}, "first", id="first-of-a-building-one"),
        pytest.param({"sink_host": ""}, "sinkHost", id="no-sink"),
        pytest.param({"sink_port": 0}, "sinkPort", id="no-port"),
    ],
)
def test_neutralize_document_refuses_what_cannot_work(change: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {
        "connection": OWNER, "fence": FENCE, "instance": "i", "database": "copy", "release": CODE, "base_url": URL,
    }  # fmt: skip
    with pytest.raises(ValueError, match=words):
        DatabaseNeutralize(**{**given, **change})


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05", "yesterday", ""])
def test_outgoing_refuses_a_time_that_cannot_be_compared(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are Python's for some of them
        OutgoingCount(OWNER, "shop", text)


def test_release_code_gives_names_and_sql() -> None:
    assert unpack_code(CODE) == (frozenset({"base", "web"}), {"base": "SELECT 1"})


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(ReleaseCode("14.0", False, 1, "%%%"), id="no-base64"),
        pytest.param(ReleaseCode("14.0", False, 1, base64.b64encode(b"xx").decode()), id="no-zlib"),
        pytest.param(ReleaseCode("14.0", False, 1, CODE.packed[:-8]), id="cut-off"),
        pytest.param(ReleaseCode("14.0", False, 3, CODE.packed), id="another-number"),
        pytest.param(ReleaseCode("14.0", False, 1, packed(["base"])), id="a-list"),
        pytest.param(ReleaseCode("14.0", False, 1, packed({"modules": [1], "sql": {}})), id="no-names"),
        pytest.param(ReleaseCode("14.0", False, 1, packed({"modules": ["a"], "sql": {"a": 1}})), id="no-sql"),
        pytest.param(
            ReleaseCode("14.0", False, 1, base64.b64encode(zlib.compress(b" " * (17 << 20))).decode()), id="a-bomb"
        ),
    ],
)
def test_release_code_that_is_none_is_refused(code: ReleaseCode) -> None:
    with pytest.raises(ReleaseUnread):
        unpack_code(code)


def test_script_says_the_code_of_its_error() -> None:
    assert f'"code": "{ReleaseUnread.code}", "reason": "{ReleaseUnread.reason}"' in neutralize_script.SCRIPT


def test_script_is_python_36_and_shell() -> None:
    ast.parse(neutralize_script._PYTHON, feature_version=(3, 6))
    subprocess.run(("sh", "-n", "-c", neutralize_script.SCRIPT), check=True)


def test_script_refuses_a_folder_that_odoo_would_read_as_two() -> None:
    with pytest.raises(ValueError, match="comma"):
        neutralize_script.render_neutralize_argv(["/a,b"])


@pytest.mark.parametrize(
    ("column", "holds"),
    [
        ("api_key", True), ("stripe_secret_key", True), ("brq_secretkey", True), ("proxy_token", True),
        ("facebook_access_token", True), ("refresh_token", True), ("ogone_shakey_in", True), ("smtp_password", True),
        ("authorize_transaction_key", True),
        ("access_token", False), ("key", False), ("website_meta_keywords", False), ("signup_token", False),
        ("login", False), ("restrict_mode_hash_table", False), ("sips_key_version", False),
    ],
)  # fmt: skip
def test_names_of_columns_that_hold_credentials(column: str, holds: bool) -> None:
    assert bool(re.search(CREDENTIAL_COLUMNS, column)) is holds


@pytest.mark.parametrize(
    ("key", "value", "removed"),
    [
        ("google_drive_client_secret", "x", True), ("recaptcha_private_key", "x", True), ("web_map.token_map_box", "x", True),
        ("auth_signup.reset_password", "True", False), ("auth_password_policy.minlength", "8", False),
        ("web.base.url", "https://x", False), ("mail.catchall.alias", "catchall", False),
    ],
)  # fmt: skip
def test_system_parameters_that_hold_credentials(key: str, value: str, removed: bool) -> None:
    named = re.search(CREDENTIAL_PARAMETERS, key, re.IGNORECASE) is not None
    assert (named and re.search(PLAIN_VALUES, value, re.IGNORECASE) is None) is removed


def test_rules_name_the_columns_that_their_conditions_read() -> None:
    """A condition whose column is missing would fail a copy of another series instead of passing it over."""
    words = re.compile(r"\b(state|delivery_type|account_token)\b")
    for rule in RULES:
        assert set(words.findall(rule.where)) <= set(rule.needs), rule
        if isinstance(rule, Update):
            assert rule.sets, rule
    for check in CHECKS:
        read = set(re.findall(r"\b(state|active|enabled|domain|options|prod_environment|key|value)\b", check.where))
        assert read - {"state"} <= {*check.needs}, check
        assert ("state" in read) <= ("state" in check.needs), check


def test_every_kind_that_can_be_named_can_be_cancelled() -> None:
    assert set(get_args(OutgoingKind)) == CANCELLABLE == {queue.kind for queue in WAITING if queue.cancel is not None}
