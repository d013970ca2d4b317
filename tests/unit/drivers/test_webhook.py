# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import pytest

from mooring import __version__
from mooring.domain.model.secret import SecretValue
from mooring.drivers.webhook import Delivery, Outcome, WebhookRefused, post_webhook
from tests.support.http_server import serve_http

TOKEN = SecretValue("shared-token")


@dataclass
class Receiver:
    """A receiver of webhooks; answers with `status` after `delay` seconds and keeps what it got."""

    url: str = ""
    status: int = 204
    delay: float = 0
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append((self.path, dict(self.headers.items()), body))
            time.sleep(state.delay)
            self.send_response(state.status)
            if 300 <= state.status < 400:
                self.send_header("Location", f"{state.url}/elsewhere")
            self.end_headers()

    with serve_http(Handler) as address:
        state.url = f"http://{address}"
        yield state


async def post(url: str, *, token: SecretValue | None = TOKEN) -> Delivery:
    message = {"phase": "Running", "name": "é"}
    return await post_webhook(
        url, message, event="PhaseChanged", delivery="d-1", token=token, connect_timeout_s=0.5, read_timeout_s=0.5
    )


async def test_post_sends_json_signed_over_its_bytes(receiver: Receiver) -> None:
    result = await post(f"{receiver.url}/hook?a=b")
    assert result == Delivery(Outcome.DELIVERED, receiver.url.removeprefix("http://"), 204)
    [(path, headers, body)] = receiver.got
    assert path == "/hook?a=b"
    assert json.loads(body) == {"phase": "Running", "name": "é"}
    expected = hmac.new(b"shared-token", body, hashlib.sha256).hexdigest()
    assert headers["X-Mooring-Signature"] == f"sha256={expected}"
    assert headers["X-Mooring-Event"] == "PhaseChanged"
    assert headers["X-Mooring-Delivery"] == "d-1"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == f"mooring/{__version__}"


async def test_post_without_token_is_not_signed(receiver: Receiver) -> None:
    await post(receiver.url, token=None)
    assert "X-Mooring-Signature" not in receiver.got[0][1]


@pytest.mark.parametrize(
    ("status", "outcome", "retry"),
    [
        (200, Outcome.DELIVERED, False),
        (302, Outcome.REDIRECTED, False),
        (307, Outcome.REDIRECTED, False),
        (401, Outcome.REJECTED, False),
        (404, Outcome.REJECTED, False),
        (429, Outcome.REJECTED, True),
        (500, Outcome.REJECTED, True),
        (503, Outcome.REJECTED, True),
    ],
)
async def test_post_gives_the_answer_and_sends_once(
    receiver: Receiver, status: int, outcome: Outcome, retry: bool
) -> None:
    receiver.status = status
    result = await post(receiver.url)
    assert (result.outcome, result.status, result.retry) == (outcome, status, retry)
    assert len(receiver.got) == 1


async def test_post_to_who_does_not_answer_ends_in_time(receiver: Receiver) -> None:
    receiver.delay = 1.5
    started = time.monotonic()
    result = await post(receiver.url)
    assert time.monotonic() - started < 1.4
    assert (result.outcome, result.retry) == (Outcome.TIMED_OUT, True)


async def test_post_to_nobody_says_so_without_the_secret_path() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    result = await post(f"http://127.0.0.1:{port}/secret-path?token=secret")
    assert (result.outcome, result.retry) == (Outcome.UNREACHABLE, True)
    assert "secret" not in f"{result}{result!r}"


async def test_post_to_a_name_that_does_not_exist_says_so() -> None:
    assert (await post("http://nowhere.invalid/")).outcome is Outcome.UNREACHABLE


async def test_post_by_tls_to_who_speaks_none_is_not_delivered(receiver: Receiver) -> None:
    result = await post(receiver.url.replace("http:", "https:"))
    assert result.outcome is Outcome.UNTRUSTED
    assert receiver.got == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop",
        "/path",
        "ftp://host/x",
        "file:///etc/passwd",
        "http://",
        "http://user:secret@host/",
        "http://host/a b",
        "http://host/secret\r\nX: y",
        "http://host:secret/",
        "http://[secret/",
    ],
)
async def test_post_to_a_bad_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(WebhookRefused) as caught:
        await post(url)
    assert "secret" not in f"{caught.value}{caught.value.details}{caught.value.__cause__}{caught.value.__context__}"


@pytest.mark.parametrize("bad", ["", "a\nb", "é"])
async def test_post_with_a_bad_header_is_refused(receiver: Receiver, bad: str) -> None:
    with pytest.raises(WebhookRefused):
        await post_webhook(receiver.url, {}, event=bad, delivery="d")
    with pytest.raises(WebhookRefused):
        await post_webhook(receiver.url, {}, event="e", delivery=bad)
    assert receiver.got == []


@pytest.mark.parametrize("outcome", list(Outcome))
def test_delivery_has_a_sentence_for_every_outcome(outcome: Outcome) -> None:
    assert str(Delivery(outcome, "host:1", 500)).startswith("host:1 ")
