# SPDX-License-Identifier: Apache-2.0
"""Where the log goes: standard error, as text or, with `-o json`, as JSON lines. Set up once a process, by `context`."""

from __future__ import annotations

import json
import logging
import sys

from mooring.cli.options import Options

FIELDS = ("instance", "operation", "event", "step", "state")


class TextFormatter(logging.Formatter):
    """`12:03:04 WARNING message (instance=… step=…)`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows where there is one."""
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname} {record.getMessage()}"
        line += f" ({fields})" if fields else ""
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """{"type": "log", "at", "level", "message", and the fields of the record}."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        value = {
            "type": "log",
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            value["traceback"] = self.formatException(record.exc_info)
        return json.dumps(value, ensure_ascii=False)


def setup_logging(options: Options, *, level: int = logging.WARNING) -> None:
    """Send Mooring's log to standard error; safe to repeat.

    Args:
        level: what is shown without --debug.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if options.output == "json" else TextFormatter())
    logger = logging.getLogger("mooring")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if options.debug else level)


def _fields(record: logging.LogRecord) -> dict[str, str]:
    values = {name: getattr(record, name, "") for name in FIELDS}
    return {name: str(value) for name, value in values.items() if value}
