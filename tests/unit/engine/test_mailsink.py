# SPDX-License-Identifier: Apache-2.0
"""The mail sink as its own process, spoken to by Python's own SMTP client, as Odoo does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from mooring.domain.mailsink import KEPT, LISTENS, SinkDocument, dump_sink, load_sink
from mooring.engine.mailsink.read import main as read
from mooring.engine.mailsink.store import Store, list_kept

HERE = "127.0.0.1"


@dataclass
class Sink:
    """A sink that listens, and what it said."""

    process: subprocess.Popen[str]
    port: int
    folder: Path

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP(HERE, self.port, timeout=20)

    def send(self, subject: str, *, body: str = "Hello", to: tuple[str, ...] = ("a@b.example",)) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "odoo@shop.example", to[0], subject
        message.set_content(body)
        with self.client() as client:
            client.send_message(message, to_addrs=list(to))

    def texts(self) -> list[str]:
        return [one.path.read_text() for one in list_kept(self.folder)]


@contextlib.contextmanager
def sink(folder: Path, **limits: int) -> Iterator[Sink]:
    folder.mkdir(exist_ok=True)
    document = folder.parent / "sink.json"
    document.write_text(dump_sink(SinkDocument(0, str(folder), **limits)))
    argv = [sys.executable, "-m", "mooring.engine.mailsink", str(document)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said.startswith(LISTENS), said
        yield Sink(process, int(said.split()[-1]), folder)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def test_sink_keeps_what_python_sends_with_the_recipients_that_no_header_names(tmp_path: Path) -> None:
    with sink(tmp_path / "mail") as one:
        one.send("Order 7", body="Thank you.\n.a line that begins with a dot\n", to=("a@b.example", "bcc@c.example"))
        assert one.process.stdout is not None
        said = one.process.stdout.readline()
        (text,) = one.texts()
    assert "X-Mooring-Envelope-To: a@b.example,\n bcc@c.example\n" in text
    assert "\nSubject: Order 7\n" in text
    assert "\n.a line that begins" in text
    # Its log says that there was one, and nothing of it.
    assert said.startswith(f"{KEPT} 1: 2 recipient(s), ")
    assert "@" not in said
    assert "Order" not in said


def test_sink_that_restarts_goes_on_with_its_numbers_and_forgets_what_was_half_there(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    with sink(folder) as one:
        one.send("first")
        client = one.client()
        client.ehlo()
        client.mail("x@y.example")
        client.rcpt("a@b.example")
        client.putcmd("data")
        client.getreply()
        client.send(b"Subject: never whole\r\n")
        os.kill(one.process.pid, signal.SIGKILL)
        client.close()
    with sink(folder) as one:
        one.send("second")
        assert [kept.number for kept in list_kept(folder)] == [1, 2]
        assert sorted(path.name for path in folder.iterdir()) == ["000000001.eml", "000000002.eml"]


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        pytest.param({"messages": 2}, [3, 4], id="number"),
        pytest.param({"total_bytes": 5000, "message_bytes": 3000}, [3, 4], id="bytes"),
    ],
)
def test_full_sink_gives_up_the_oldest(tmp_path: Path, limits: dict[str, int], left: list[int]) -> None:
    with sink(tmp_path / "mail", **limits) as one:
        for number in range(4):
            one.send(f"mail {number}", body="x" * 60 + "\n" + ("y" * 70 + "\n") * 25)
        assert [kept.number for kept in list_kept(one.folder)] == left


def test_message_that_is_too_large_is_refused_with_and_without_its_size(tmp_path: Path) -> None:
    with sink(tmp_path / "mail", total_bytes=4000, message_bytes=2000) as one:
        with pytest.raises(smtplib.SMTPSenderRefused, match="larger than 2000"), one.client() as client:
            client.sendmail("a@b.example", ["c@d.example"], "x" * 70 * 50)
        with one.client() as client:
            client.helo()  # without ESMTP no size is announced
            with pytest.raises(smtplib.SMTPDataError, match="larger than 2000"):
                client.sendmail("a@b.example", ["c@d.example"], ("x" * 70 + "\r\n") * 50)
            client.sendmail("a@b.example", ["c@d.example"], "Subject: small\r\n\r\nx")
        assert [kept.number for kept in list_kept(one.folder)] == [1]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        pytest.param(["NONSENSE"], 502, id="unknown"),
        pytest.param(["RCPT TO:<a@b.example>"], 503, id="recipient before sender"),
        pytest.param(["MAIL FROM:<a@b.example>", "DATA"], 503, id="no recipient"),
        pytest.param(["MAIL TO:<a@b.example>"], 501, id="sender of the wrong word"),
        pytest.param(["MAIL FROM:<a@b.example>", "RCPT TO:<>"], 501, id="nobody"),
        pytest.param(["MAIL FROM:<>", "RCPT TO:<a@b.example>"], 250, id="a bounce"),
        pytest.param(["VRFY someone"], 252, id="verify"),
    ],
)
def test_sink_answers_what_the_protocol_says(tmp_path: Path, words: list[str], answer: int) -> None:
    with sink(tmp_path / "mail") as one, one.client() as client:
        client.ehlo()
        codes = [client.docmd(word)[0] for word in words]
    assert codes[-1] == answer


def test_sink_ends_who_says_nothing_that_it_understands(tmp_path: Path) -> None:
    with sink(tmp_path / "mail") as one, closing(socket.create_connection((HERE, one.port), timeout=20)) as talker:
        talker.sendall(b"GET / HTTP/1.1\r\n" * 40)
        talker.settimeout(20)
        said = b""
        while piece := talker.recv(65536):
            said += piece
        assert b"421 4.7.0" in said


def test_sink_that_is_told_to_end_does_not_wait_for_a_conversation(tmp_path: Path) -> None:
    with sink(tmp_path / "mail") as one, closing(socket.create_connection((HERE, one.port), timeout=20)) as talker:
        assert talker.recv(3) == b"220"
        one.process.terminate()
        assert one.process.wait(20) == 0


def test_sink_without_a_folder_or_a_document_says_so(tmp_path: Path) -> None:
    document = tmp_path / "sink.json"
    document.write_text(dump_sink(SinkDocument(0, str(tmp_path / "gone"))))
    argv = [sys.executable, "-m", "mooring.engine.mailsink"]
    gone = subprocess.run([*argv, str(document)], capture_output=True, text=True, timeout=60, check=False)
    none = subprocess.run([*argv, str(tmp_path / "none")], capture_output=True, text=True, timeout=60, check=False)
    assert (gone.returncode, none.returncode) == (1, 2)
    assert gone.stdout.startswith("mail: cannot work: ")
    assert none.stdout.startswith("mail: no document")


@pytest.mark.parametrize(
    "text",
    ['{"v": 2}', "[]", '{"v": 1}', "no", '{"v":1,"port":1,"folder":"/","totalBytes":1,"messages":1,"messageBytes":2}'],
    ids=["version", "list", "empty", "text", "limits"],
)
def test_document_of_a_sink_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        load_sink(text)
    assert load_sink(dump_sink(SinkDocument(1025))) == SinkDocument(1025)


def put(folder: Path, *messages: bytes) -> None:
    store = Store(folder, total_bytes=1 << 20, messages=100)
    for text in messages:
        with store.incoming() as file:
            file.write(text)
            store.keep(file)


def test_reader_lists_shows_and_removes_and_lets_nothing_steer_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(
        tmp_path,
        b"X-Mooring-Envelope-To: a@b.example\r\nFrom: o@p.example\r\nSubject: =?utf-8?q?=1b[2JCaf=C3=A9?=\r\n\r\nhi\x1b[2J\r\n",
        b"Subject: broken\xff\r\nFrom: <<<>>\x00\r\n\r\n",
    )
    assert read([str(tmp_path), "list", "json", "10"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["number"] for row in rows] == [1, 2]
    assert (rows[0]["to"], rows[0]["from"], rows[0]["subject"]) == ("a@b.example", "o@p.example", "[2JCafé")
    assert read([str(tmp_path), "list", "table", "1"]) == 0
    assert "broken" in capsys.readouterr().out
    assert read([str(tmp_path), "show", "1"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "hi?[2J\n" in shown
    assert read([str(tmp_path), "show", "9"]) == 1
    assert "no message 9" in capsys.readouterr().err
    assert read([str(tmp_path), "clear"]) == 0
    assert (capsys.readouterr().out, list_kept(tmp_path)) == ("2 message(s) removed.\n", [])
    assert read([str(tmp_path), "dance"]) == 2
