# SPDX-License-Identifier: Apache-2.0
"""One SMTP conversation of the sink: everybody may write to anybody, and nothing is passed on.

The part of RFC 5321 that Odoo's and Python's clients speak: EHLO, HELO, MAIL, RCPT, DATA, RSET, NOOP, VRFY, QUIT, with SIZE,
8BITMIME, SMTPUTF8 and PIPELINING. No login and no TLS: the sink stands on a network that only the instance is on. A message
goes to a file line by line, so that a large one takes no memory. Called by `mooring.engine.mailsink.__main__`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import BinaryIO

from mooring.domain.mailsink import KEPT
from mooring.engine.mailsink.store import Kept, Store

LINE_BYTES = 64 * 1024
RECIPIENTS = 1000
IDLE_S = 300.0
FAULTS = 20
_PATH = re.compile(rb"(?:FROM|TO):\s*<(?P<address>[^<>\r\n]*)>(?P<rest>.*)", re.IGNORECASE)
_SIZE = re.compile(rb"\bSIZE=([0-9]{1,19})\b", re.IGNORECASE)
_EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


class _Over(Exception):
    """The conversation has ended."""


class Session:
    """One conversation.

    Args:
        store: where messages go.
        message_bytes: of the largest that is taken.
        say: prints a line of the sink's log; it gets no address and nothing of a message.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        store: Store,
        *,
        message_bytes: int,
        say: Callable[[str], None],
    ) -> None:
        self._reader, self._writer, self._store = reader, writer, store
        self._largest, self._say = message_bytes, say
        self._sender: bytes | None = None
        self._recipients: list[bytes] = []
        self._faults = 0

    async def run(self) -> None:
        """Until the other side leaves, is silent for too long, or says too much that cannot be understood.

        Raises:
            OSError: the connection broke off.
        """
        try:
            await self._answer("220 mooring mail sink: kept here, sent nowhere")
            while True:
                await self._command(await self._line())
        except _Over:
            return
        except TimeoutError:
            await self._write("421 4.4.2 silent for too long")
        except (ValueError, asyncio.LimitOverrunError):
            await self._write("500 5.5.2 the line is too long")

    async def _line(self) -> bytes:
        async with asyncio.timeout(IDLE_S):
            line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise _Over
        return line

    async def _command(self, line: bytes) -> None:
        word, _, rest = line.rstrip(b"\r\n").partition(b" ")
        match word.upper():
            case b"EHLO":
                self._reset()
                lines = ("mooring", *_EXTENSIONS, f"SIZE {self._largest}")
                for text in lines[:-1]:
                    await self._answer(f"250-{text}")
                await self._answer(f"250 {lines[-1]}")
            case b"HELO":
                self._reset()
                await self._answer("250 mooring")
            case b"MAIL":
                await self._mail(rest)
            case b"RCPT":
                await self._rcpt(rest)
            case b"DATA":
                await self._data()
            case b"RSET":
                self._reset()
                await self._answer("250 2.0.0 forgotten")
            case b"NOOP":
                await self._answer("250 2.0.0 here")
            case b"VRFY":
                await self._answer("252 2.1.5 everybody is taken")
            case b"QUIT":
                await self._answer("221 2.0.0 good bye")
                raise _Over
            case _:
                await self._fault("502 5.5.1 not understood")

    async def _mail(self, rest: bytes) -> None:
        match = _PATH.match(rest)
        if match is None or rest[:5].upper() != b"FROM:":
            await self._fault("501 5.5.4 MAIL FROM:<address>")
            return
        size = _SIZE.search(match["rest"])
        if size is not None and int(size[1]) > self._largest:
            await self._answer(f"552 5.3.4 larger than {self._largest} bytes")
            return
        self._reset()
        self._sender = match["address"]
        await self._answer("250 2.1.0 taken")

    async def _rcpt(self, rest: bytes) -> None:
        match = _PATH.match(rest)
        if match is None or rest[:3].upper() != b"TO:" or not match["address"]:
            await self._fault("501 5.5.4 RCPT TO:<address>")
        elif self._sender is None:
            await self._fault("503 5.5.1 MAIL first")
        elif len(self._recipients) >= RECIPIENTS:
            await self._answer("452 4.5.3 too many recipients")
        else:
            self._recipients.append(match["address"])
            await self._answer("250 2.1.5 taken")

    async def _data(self) -> None:
        if self._sender is None or not self._recipients:
            await self._fault("503 5.5.1 MAIL and RCPT first")
            return
        await self._answer("354 end with a dot on a line of its own")
        kept: Kept | None = None
        why = ""
        try:
            with self._store.incoming() as file:
                fits = await self._receive(file)
                if fits:
                    kept = await asyncio.to_thread(self._store.keep, file)
                else:
                    why = f"552 5.3.4 larger than {self._largest} bytes"
        except OSError as fault:
            self._say(f"mail: could not keep one: {fault.strerror or type(fault).__name__}")
            raise
        if kept is None:
            await self._answer(why)
        else:
            self._say(f"{KEPT} {kept.number}: {len(self._recipients)} recipient(s), {kept.size} bytes")
            await self._answer(f"250 2.0.0 kept as {kept.number}")
        self._reset()

    async def _receive(self, file: BinaryIO) -> bool:
        """Write the message as it comes in; whether it was no larger than it may be. What is too large is read and dropped."""
        file.writelines(self._head())
        size = 0
        while True:
            line = await self._line()
            if line in (b".\r\n", b".\n"):
                return size <= self._largest
            text = line[1:] if line.startswith(b".") else line  # RFC 5321, 4.5.2
            size += len(text)
            if size <= self._largest:
                file.write(text)

    def _head(self) -> list[bytes]:
        """Whom the envelope names, which the message itself need not: Bcc is nowhere else."""
        now = format_datetime(datetime.now(UTC)).encode()
        to = b", ".join(self._recipients)
        return [
            b"X-Mooring-Envelope-From: %s\r\n" % (self._sender or b"<>"),
            b"X-Mooring-Envelope-To: %s\r\n" % to.replace(b", ", b",\r\n "),
            b"Received: from instance by mail sink; %s\r\n" % now,
        ]

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    async def _fault(self, text: str) -> None:
        self._faults += 1
        if self._faults > FAULTS:
            await self._answer("421 4.7.0 too much of that")
            raise _Over
        await self._answer(text)

    async def _answer(self, text: str) -> None:
        async with asyncio.timeout(IDLE_S):
            await self._write(text)

    async def _write(self, text: str) -> None:
        self._writer.write(f"{text}\r\n".encode())
        await self._writer.drain()
