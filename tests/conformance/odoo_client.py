# SPDX-License-Identifier: Apache-2.0
"""A user of Odoo: what a browser and an integration do, over the address that the instance publishes."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any


class OdooError(AssertionError):
    """Odoo answered with an error."""


@dataclass(frozen=True)
class Planted:
    """Rows that were written, to be found again: a partner, and an attachment whose content is a file."""

    partner: int
    attachment: int
    word: str

    @property
    def content(self) -> bytes:
        """What is in the attachment; long and unlike others, so that it is a file of its own."""
        return (self.word * 200).encode()


@dataclass(frozen=True)
class Odoo:
    """One Odoo, and a person who may log in.

    Attributes:
        url: such as `http://127.0.0.1:18069`.
    """

    url: str
    database: str
    password: str
    login: str = "admin"

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(errors="replace")

    def answers(self) -> bool:
        """Whether the login page is served."""
        try:
            return self.get("/web/login")[0] == 200
        except OSError:
            return False

    def rpc(self, service: str, method: str, *args: Any) -> Any:
        """One JSON-RPC call."""
        body = {"jsonrpc": "2.0", "method": "call", "params": {"service": service, "method": method, "args": args}}
        request = urllib.request.Request(
            f"{self.url}/jsonrpc", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            value = json.load(answer)
        if "error" in value:
            raise OdooError(json.dumps(value["error"])[:2000])
        return value["result"]

    def authenticate(self) -> int:
        """The user's id; 0 for a wrong password."""
        return int(self.rpc("common", "authenticate", self.database, self.login, self.password, {}) or 0)

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method of a model, as the person."""
        return self.rpc(
            "object", "execute_kw", self.database, self.authenticate(), self.password, model, method, list(args), kwargs
        )

    def version(self) -> str:
        """The release of the add-on that serves."""
        return self.get("/mooring_demo/version")[1]

    def parameter(self, key: str) -> str:
        """A row of ir.config_parameter; empty for none."""
        return str(self.call("ir.config_parameter", "get_param", key) or "")

    def plant(self, word: str) -> Planted:
        """Write rows that have to be there later."""
        partner = self.call("res.partner", "create", {"name": word})
        planted = Planted(int(partner), 0, word)
        content = base64.b64encode(planted.content).decode()
        attachment = self.call("ir.attachment", "create", {"name": word, "datas": content})
        self.call("mooring.demo.note", "create", {"name": word})
        return Planted(planted.partner, int(attachment), word)

    def check(self, planted: Planted) -> None:
        """What was planted is whole: the row, the note, and the file."""
        found = self.call("res.partner", "read", [planted.partner], ["name"])
        assert [row["name"] for row in found] == [planted.word]
        assert self.call("mooring.demo.note", "search_count", [["name", "=", planted.word]]) == 1
        rows = self.call("ir.attachment", "read", [planted.attachment], ["datas", "store_fname"])
        assert rows[0]["store_fname"], "the attachment is not a file"
        assert base64.b64decode(rows[0]["datas"]) == planted.content

    def lacks(self, planted: Planted) -> bool:
        """Whether the partner is not there."""
        return not self.call("res.partner", "search_count", [["name", "=", planted.word]])


def eventually(check: Any, *, within_s: float, what: str) -> None:
    """Wait until `check()` is true."""
    until = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < until, f"not within {within_s:g} s: {what}"
        time.sleep(0.3)
