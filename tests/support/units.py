# SPDX-License-Identifier: Apache-2.0
"""How systemd reads a command line (systemd.service(5), "Command lines"): quotes, C escapes, `%%` and `$$`."""

from __future__ import annotations

_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'", "s": " "}


def split_command(text: str) -> list[str]:
    """The words of a command line. Fails on what systemd would expand or refuse."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            escaped = next(letters)
            assert escaped in _ESCAPES, f"unknown escape \\{escaped}"
            word = [*(word or []), _ESCAPES[escaped]]
        elif letter in "%$":
            assert next(letters, "") == letter, f"{letter} would be expanded in {text!r}"
            word = [*(word or []), letter]
        elif quote:
            if letter == quote:
                quote = ""
            else:
                word = [*(word or []), letter]
        elif letter in "\"'" and word is None:
            quote, word = letter, []
        elif letter in " \t\n":
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = [*(word or []), letter]
    assert not quote, "a quote is not closed"
    return words if word is None else [*words, "".join(word)]
