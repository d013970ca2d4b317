# SPDX-License-Identifier: Apache-2.0
"""The three standard streams, as a caller left them: closed, or of an encoding that cannot take every character.

It imports next to nothing, since `main` needs it before anything else. It writes nothing to them.
"""

from __future__ import annotations

import codecs
import io
import os
import sys

ESCAPE = "mooring-escape"
_STAND_INS: list[object] = []


def ready_streams() -> None:
    r"""Have all three: one that the caller closed leads nowhere; safe to repeat.

    Else the next file that is opened, be it the records, would get the number of a stream that others write to. What
    standard output cannot encode becomes `\u1234`, which in JSON is the same character.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)
            stream = os.fdopen(number, mode, encoding="utf-8", closefd=False)
            _STAND_INS.append(stream)
            setattr(sys, name, stream)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors != ESCAPE:
        codecs.register_error(ESCAPE, _escape)
        sys.stdout.reconfigure(errors=ESCAPE)


def output_is_closed() -> bool:
    """Whether the caller closed standard output, so that what is written there is lost."""
    return any(sys.stdout is one for one in _STAND_INS)


def close_output() -> None:
    """Let standard output lead nowhere: what is still in its buffer would raise again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    numbers = (units[place] << 8 | units[place + 1] for place in range(0, len(units), 2))
    return "".join(f"\\u{one:04x}" for one in numbers), error.end
