# SPDX-License-Identifier: Apache-2.0
"""What the mail sink of a Staging instance is told, and where it keeps mail: shared by who wants one and by its program.

The sink (`mooring.engine.mailsink`) is one process beside the instance's own. It takes every mail, keeps it in a folder that
cannot grow without end, and has no code that sends any. Nothing here listens, reads or writes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

MAIL_FOLDER = "/var/lib/mooring-mail"
SINK_PATH = "/run/mooring/mailsink.json"
SINK_ARGV = ("python3", "-m", "mooring.engine.mailsink", SINK_PATH)
READ_ARGV = ("python3", "-m", "mooring.engine.mailsink.read", MAIL_FOLDER)
SINK_USER = (65532, 65532)
SINK_MEMORY_BYTES = 128 << 20
# All that is kept, and what may be coming in at once.
VOLUME_BYTES = 512 << 20
# Begins each line that the sink prints; the first is printed when it listens.
LISTENS = "mail: listening"
KEPT = "mail: kept"


@dataclass(frozen=True)
class SinkDocument:
    """How one sink works.

    Attributes:
        port: of its SMTP.
        folder: where messages are, one file each.
        total_bytes: of all messages; the oldest go when a new one would not fit.
        messages: how many are kept at most; the oldest go.
        message_bytes: of the largest that is taken; Odoo's own mail servers usually take 25 MB.
    """

    port: int
    folder: str = MAIL_FOLDER
    total_bytes: int = 256 << 20
    messages: int = 10_000
    message_bytes: int = 32 << 20

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a limit below 1, a message that is larger than all may be, or no port.
        """
        if min(self.total_bytes, self.messages, self.message_bytes) < 1 or self.message_bytes > self.total_bytes:
            raise ValueError("limits must be positive, and one message no larger than all of them")
        if not 0 <= self.port < 65536:
            raise ValueError(f"port {self.port} is not between 0 and 65535")


def dump_sink(document: SinkDocument) -> str:
    """The JSON that the sink's program reads."""
    value = {
        "v": 1,
        "port": document.port,
        "folder": document.folder,
        "totalBytes": document.total_bytes,
        "messages": document.messages,
        "messageBytes": document.message_bytes,
    }
    return json.dumps(value, sort_keys=True)


def load_sink(text: str) -> SinkDocument:
    """What `dump_sink` wrote.

    Raises:
        ValueError: it is no such JSON, or another version's.
    """
    try:
        value = json.loads(text)
        if value["v"] != 1:
            raise ValueError(f"version {value['v']} is not known here")
        numbers = (int(value[key]) for key in ("port", "totalBytes", "messages", "messageBytes"))
        port, total, messages, largest = numbers
        return SinkDocument(port, str(value["folder"]), total, messages, largest)
    except (KeyError, TypeError) as fault:
        raise ValueError(f"this is no document of a mail sink: {fault!r}") from fault
