# SPDX-License-Identifier: Apache-2.0
"""Every command, manifest and setting that the documentation shows is one that the program takes."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import click
import pytest
import yaml

from mooring.api.instance import OdooInstance
from mooring.api.loader import load_resource
from mooring.cli.options import Options
from mooring.cli.root import module_of, root
from mooring.cli.table import COMMANDS
from mooring.domain.instance.support import OPERATIONS_NOT_YET, find_unsupported
from mooring.targets.docker.options import UNSUPPORTED
from tests.support.doc_blocks import ROOT, Block, mooring_commands, read_blocks, read_pages

SHOWN = [
    (block, arguments)
    for page in read_pages()
    for block in read_blocks(page, "sh", "bash")
    for arguments in mooring_commands(block)
]
INLINE = [
    (page, match[1])
    for page in read_pages()
    for match in re.finditer(r"`mooring ([a-z]+(?:-[a-z]+)*)[^`]*`", page.read_text(encoding="utf-8"))
]
MANIFESTS = [block for page in read_pages() for block in read_blocks(page, "yaml")]


def _parse(arguments: tuple[str, ...]) -> None:
    """Read a command line as the program does, down to the last command, without running it."""
    command: click.Command = root
    context = root.make_context("mooring", list(arguments), obj=Options())
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        command = found
        context = command.make_context(name, list(rest), parent=context, obj=context.obj)


@pytest.mark.parametrize(
    ("block", "arguments"), SHOWN, ids=[f"{block.page}:{' '.join(arguments)}" for block, arguments in SHOWN]
)
def test_command_of_the_documentation_is_one_of_the_program(block: Block, arguments: tuple[str, ...]) -> None:
    del block
    assert arguments[0] in COMMANDS
    if importlib.util.find_spec(f"mooring.cli.commands.{module_of(arguments[0])}") is not None:
        _parse(arguments)


def test_parser_of_these_tests_refuses_an_option_that_there_is_none() -> None:
    with pytest.raises(click.UsageError):
        _parse(("apply", "-f", "shop.yaml", "--frobnicate"))
    with pytest.raises(click.UsageError):
        _parse(("launch", "shop"))


def test_verbs_in_the_text_of_the_documentation_exist() -> None:
    assert len(INLINE) > 50
    # The verb of an operation that is refused yet stands only where a field is described that is refused, too.
    later = {name.lower() for name in OPERATIONS_NOT_YET}
    assert {(page.name, verb) for page, verb in INLINE if verb not in {*COMMANDS, *later}} == set()


@pytest.mark.parametrize("block", MANIFESTS, ids=[f"{block.page}:{block.line}" for block in MANIFESTS])
def test_manifest_of_the_documentation_is_accepted_and_carried_out(block: Block) -> None:
    for document in yaml.safe_load_all(block.text):
        whole = {"apiVersion": "mooring.dev/v1alpha1", "kind": "OdooInstance", "metadata": {"name": "shop"}, **document}
        found = load_resource(whole, source=block.page)
        if isinstance(found, OdooInstance):
            assert find_unsupported(found.spec, UNSUPPORTED, target="docker") == []


def test_quick_start_has_commands_for_a_test_to_run() -> None:
    blocks = read_blocks(Path(ROOT / "docs" / "quick-start.md"), "sh")
    verbs = {arguments[0] for block in blocks for arguments in mooring_commands(block)}
    assert {"plan", "apply", "status", "delete"} <= verbs


# The reader of blocks


def test_commands_of_a_block_are_found_behind_pipes_and_without_redirections() -> None:
    text = "mooring init shop && mooring apply -f shop.yaml # go\ncat x | mooring secret set a b\nmooring report > x\n"
    assert list(mooring_commands(Block("page", 1, "sh", text))) == [
        ("init", "shop"),
        ("apply", "-f", "shop.yaml"),
        ("secret", "set", "a", "b"),
        ("report",),
    ]


def test_commands_inside_a_file_that_a_block_writes_are_none() -> None:
    text = "cat > file <<'END'\nmooring launch\nEND\nmooring list\n"
    assert list(mooring_commands(Block("page", 1, "sh", text))) == [("list",)]


def test_modules_that_the_architecture_page_names_exist() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    decisions = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "decisions").glob("*.md"))
    named: set[str] = set()
    for text in re.findall(r"`([a-z_]+/[a-z_/{},*]+\.py|[a-z_]+/(?:[a-z_]+/)*)`", page):
        group = re.search(r"\{([^}]*)\}", text)
        named |= {text.replace(group[0], one) for one in group[1].split(",")} if group else {text}
    named |= {name.replace(".", "/") for name in re.findall(r"`mooring\.([a-z_.]+)`", decisions)}
    source = ROOT / "src" / "mooring"
    assert len(named) > 40
    missing = {one for one in named if not list(source.glob(one.rstrip("/"))) and not (source / f"{one}.py").is_file()}
    attributes = {one for one in missing if (source / f"{one.rpartition('/')[0]}.py").is_file()}
    assert missing - attributes == set()


def test_names_that_the_architecture_page_places_are_where_it_says() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    pairs = re.findall(r"`(_?[a-z_]+)` in `([a-z_/]+\.py)`", page)
    assert len(pairs) >= 2
    text = {path: (ROOT / "src" / "mooring" / path).read_text(encoding="utf-8") for _, path in pairs}
    assert [(name, path) for name, path in pairs if not re.search(rf"\b{name}\b", text[path])] == []
