# SPDX-License-Identifier: Apache-2.0
"""The page about `config.toml`: every key with its default and meaning, from the dataclasses that it is read into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from typing import Any

from tools.reference.text import MADE, attributes, one_line, render_page, render_table

from mooring.drivers.settings import Settings

WHERE = """\
The configuration file holds what a person sets once for all instances of a machine. It is optional. Mooring reads it
and never writes it.

| Who runs Mooring | Where it is | Where the state is |
| --- | --- | --- |
| root | `/etc/mooring/config.toml` | `/var/lib/mooring` |
| anybody else | `$XDG_CONFIG_HOME/mooring/config.toml`, else `~/.config/mooring/config.toml` | \
`$XDG_STATE_HOME/mooring`, else `~/.local/state/mooring` |

`MOORING_HOME` names another state directory, as an absolute path; `--home FOLDER` does so for one command.

A file with a mistake is refused as a whole, with all its mistakes ([MOOR-530](errors.md#moor-530)).
"""

ENVIRONMENT = (
    ("MOORING_HOME", "The state directory."),
    ("DOCKER_HOST", "The address of the container engine. When it is set, nothing else is tried."),
    ("DOCKER_CONTEXT", "The Docker context to use, in place of the one that Docker's configuration names."),
    ("DOCKER_CERT_PATH, DOCKER_TLS_VERIFY", "As for Docker's own program: certificates for `DOCKER_HOST`."),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR, HOME", "Where files and sockets of this user are."),
    ("NO_COLOR", "When it is set and not empty, nothing is coloured."),
)


def render_settings() -> str:
    """The whole page."""
    return render_page(
        "# Settings",
        MADE,
        WHERE,
        "## Keys",
        render_table(("Key", "Default", "Meaning"), _rows(Settings())),
        "## Example",
        f"```toml\n{_example()}\n```",
        "## Environment",
        "Only the command line reads the environment. No secret is ever taken from it.",
        render_table(
            ("Variable", "Meaning"), ((f"`{name.replace(', ', '`, `')}`", text) for name, text in ENVIRONMENT)
        ),
    )


def _rows(group: Any, prefix: str = "") -> Iterator[tuple[str, ...]]:
    told = attributes(type(group).__doc__)
    for one in fields(group):
        value = getattr(group, one.name)
        if is_dataclass(value) and one.name in ("docker", "defaults", "ingress"):
            yield from _rows(value, f"{prefix}{one.name}.")
            continue
        yield f"`{prefix}{one.name}`", _default(value), _meaning(told, one, prefix)


def _meaning(told: dict[str, str], one: Field[Any], prefix: str) -> str:
    if not told.get(one.name):
        raise ValueError(f"the setting {prefix}{one.name} has no words in its class's docstring")
    text = one_line(told[one.name])
    return text[:1].upper() + text[1:]


def _default(value: Any) -> str:
    return "none" if value is None else f"`{value}`"


def _example() -> str:
    """Every key at its default, as TOML; the parts that have none are comments."""
    settings = Settings()
    lines = [f'default_target = "{settings.default_target}"']

    def table(name: str, group: Any) -> None:
        lines.extend(("", f"[{name}]"))
        nested: list[tuple[str, Any]] = []
        for one in fields(group):
            value = getattr(group, one.name)
            if is_dataclass(value) and one.name == "ingress":
                nested.append((f"{name}.{one.name}", value))
            elif value is None:
                lines.append(f'# {one.name} = "odoo:19.0"')
            else:
                lines.append(f"{one.name} = {value}" if isinstance(value, int) else f'{one.name} = "{value}"')
        for path, inner in nested:
            table(path, inner)

    table("docker", settings.docker)
    table("defaults", settings.defaults)
    return "\n".join(lines)
