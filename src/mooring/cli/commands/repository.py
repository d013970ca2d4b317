# SPDX-License-Identifier: Apache-2.0
"""`mooring repository`: makes, lists, checks and prunes a backup repository, and looks after its passphrases."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from mooring.cli.options import Options, group
from mooring.cli.options import command as declare

if TYPE_CHECKING:
    from mooring.cli.context import App


@group(
    "repository",
    short="Make, list, check and prune a backup repository.",
    examples=("mooring repository list offsite", "mooring repository check offsite --read-data 10"),
)
def command() -> None:
    """Make, list, check and prune a backup repository, and look after its passphrases."""


@declare("init", short="Make the repository where there is none.", examples=("mooring repository init offsite",))
@click.argument("name")
def init(options: Options, name: str) -> int:
    """Make the repository of the BackupRepository NAME, and say what its store can do. One that is there stays."""
    from mooring.cli.output import print_data, print_text
    from mooring.cli.repositories import ask_repository
    from mooring.domain.work.repository_work import RepositoryInit

    result = ask_repository(options, name, lambda access: RepositoryInit(access.settings()))
    if options.output != "table":
        print_data(options, dict(result))
        return 0
    print_text(f"{name} {'was made' if result['created'] else 'is there'}: repository {result['id']}.")
    print_text(
        "It is encrypted." if result["encrypted"] else "It is not encrypted: whoever reads the store reads the data."
    )
    if not result["conditionalWrites"]:
        print_text("Its store does not refuse to overwrite: one host alone may prune it (spec.pruneHost).")
    return 0


@declare(
    "list",
    short="List its snapshots.",
    examples=("mooring repository list offsite", "mooring repository list offsite --instance shop"),
)
@click.argument("name")
@click.option("--instance", metavar="NAME", help="Only those of this instance (its name or id).")
@click.option("--limit", default=200, metavar="N", show_default=True, help="At most so many, the newest first.")
def list_snapshots(options: Options, name: str, *, instance: str | None, limit: int) -> int:
    """List the snapshots in the repository NAME, the newest first, also of instances that are no more."""
    from mooring.cli.output import print_data, print_text
    from mooring.cli.repositories import ask_repository, render_snapshots
    from mooring.domain.work.repository_work import SnapshotList

    result = ask_repository(
        options, name, lambda access: SnapshotList(access.settings(), instance=instance, limit=limit)
    )
    if options.output != "table":
        print_data(options, dict(result))
        return 0
    print_text(render_snapshots(options, result["snapshots"]))
    if result["more"]:
        print_text(f"{result['more']} more; --limit shows them.")
    for text in result["damaged"]:
        print_text(f"cannot be read: {text}")
    return 0


@declare(
    "check",
    short="Check that everything is there and whole.",
    examples=(
        "mooring repository check offsite",
        "mooring repository check offsite --read-data 100",
        "mooring repository check offsite --repair",
    ),
)
@click.argument("name")
@click.option("--read-data", default=0, metavar="PERCENT", help="Read and compare this share of the content, too.")
@click.option("--repair", is_flag=True, help="First make damaged indexes again, from the packs that they named.")
def check(options: Options, name: str, *, read_data: int, repair: bool) -> int:
    """Check the repository NAME: every object that a snapshot needs is there; with --read-data its content is right.

    Content that is damaged cannot be made again: the next backup stores it anew where the instance still has it.
    """
    from mooring.cli.errors import BadRequest
    from mooring.cli.output import print_data, print_text, render_bytes
    from mooring.cli.repositories import ask_repository
    from mooring.domain.work.repository_work import RepositoryCheck

    if not 0 <= read_data <= 100:
        raise BadRequest(f"--read-data {read_data} is no share.", resolution="Give a number from 0 to 100.")
    result = ask_repository(options, name, lambda access: RepositoryCheck(access.settings(), read_data, repair))
    if options.output != "table":
        print_data(options, dict(result))
        return 1 if result["faults"] else 0
    done = result["repaired"]
    if done is not None:
        print_text(f"{done['removed']} damaged indexes were removed, {done['packs']} packs are named again.")
        for text in done["unreadable"]:
            print_text(f"cannot be named again: {text}")
        for text in done["refused"]:
            print_text(f"kept by the store: {text}")
    print_text(
        f"{result['snapshots']} snapshots, {result['packs']} packs, {result['blobs']} blobs; "
        f"{render_bytes(result['readBytes'])} read."
    )
    for fault in result["faults"]:
        print_text(f"{fault['object']}: {fault['reason']}")
        for hurt in fault["hurts"]:
            print_text(f"  hurts {hurt}")
    if result["moreFaults"]:
        print_text(f"{result['moreFaults']} more faults.")
    print_text("Everything is as it was written." if not result["faults"] else "Something is wrong: see above.")
    return 1 if result["faults"] else 0


@declare(
    "prune",
    short="Delete snapshots that no rule keeps, and what nothing needs.",
    examples=("mooring repository prune offsite --dry-run", "mooring repository prune offsite --yes"),
)
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Say what would go and why the rest stays, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(options: Options, name: str, *, dry_run: bool, yes: bool) -> int:
    """Delete the snapshots in the repository NAME that no retention rule keeps, and content that nothing needs any more.

    Content goes in two steps, a day apart at least, so that a backup that runs meanwhile loses nothing.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import NotConfirmed
    from mooring.cli.output import print_data, print_text, render_bytes
    from mooring.control.repositories import find_repository, retention_of
    from mooring.control.repository_tasks import run_repository_task
    from mooring.domain.work.repository_work import RepositoryPrune

    if not dry_run and not yes and not (sys.stdin.isatty() and click.confirm(f"Prune {name}?", err=True)):
        raise NotConfirmed(f"{name} was not pruned.")

    async def work(app: App) -> Any:
        services = await app.services()
        access = await find_repository(services, options.place, name)
        rule, rules = await retention_of(services, access.ref)
        document = RepositoryPrune(access.settings(), rule=rule, instances=rules, dry_run=dry_run)
        return await run_repository_task(services, access, document, timeout_s=options.timeout_s)

    result = run(options, work)
    if options.output != "table":
        print_data(options, dict(result))
        return 0
    for one in result["snapshots"]:
        row, reasons = one["snapshot"], ", ".join(one["reasons"])
        print_text(f"{row['id'][:12]}  {row['time']}  {row['namespace']}/{row['name']}  {reasons or 'goes'}")
    words = ("would be marked", "would be deleted") if dry_run else ("marked", "deleted")
    print_text(f"{render_bytes(result['marked'])} {words[0]}, {render_bytes(result['deleted'])} {words[1]}.")
    for text in result["refused"]:
        print_text(f"kept by the store: {text}")
    return 0


@declare("stats", short="Add up what it holds.", examples=("mooring repository stats offsite",))
@click.argument("name")
def stats(options: Options, name: str) -> int:
    """Add up what the repository NAME holds, and how much room deduplication and compression save."""
    from mooring.cli.output import print_data, print_text, render_bytes
    from mooring.cli.repositories import ask_repository
    from mooring.domain.work.repository_work import RepositoryStats

    result = ask_repository(options, name, lambda access: RepositoryStats(access.settings()))
    if options.output != "table":
        print_data(options, dict(result))
        return 0
    print_text(
        f"{result['snapshots']} snapshots of {result['instances']} instances: {render_bytes(result['content'])}, "
        f"in {render_bytes(result['stored'])} ({result['blobs']} blobs in {result['packs']} packs)."
    )
    return 0


@declare(
    "passphrase",
    short="List, add or remove its passphrases.",
    examples=(
        "mooring repository passphrase offsite",
        "mooring repository passphrase offsite --add r2/next --label 2027",
        "mooring repository passphrase offsite --remove 5f2c90aa",
    ),
)
@click.argument("name")
@click.option(
    "--add", metavar="SECRET/KEY", help="Add the passphrase that this secret holds (see `mooring secret set`)."
)
@click.option("--label", default="", metavar="TEXT", help="What the new one is for, for people.")
@click.option("--remove", metavar="ID", help="Remove the passphrase with this id; the last one stays.")
def passphrase(options: Options, name: str, *, add: str | None, label: str, remove: str | None) -> int:
    """List the passphrases that open the repository NAME, or add or remove one. The data is not written again.

    To change one: add the new one, name it in the manifest (encryption.passphraseSecretRef), then remove the old one.
    """
    from mooring.cli.context import run
    from mooring.cli.errors import BadRequest
    from mooring.cli.output import print_data, print_text, render_table
    from mooring.control.repositories import find_repository, with_new_passphrase
    from mooring.control.repository_tasks import run_repository_task
    from mooring.domain.instance.repository import NEW_PASSPHRASE_FILE
    from mooring.domain.work.repository_work import RepositoryPassphrase

    if add is not None and remove is not None:
        raise BadRequest("--add and --remove are two steps.", resolution="Add the new one first.")
    secret, _, key = (add or "").partition("/")
    if add is not None and not (secret and key):
        raise BadRequest(f"--add {add!r} names no secret and key.", resolution="Write it as SECRET/KEY.")

    async def work(app: App) -> Any:
        services = await app.services()
        access = await find_repository(services, options.place, name)
        if add is not None:
            access = await with_new_passphrase(services, access, secret, key)
        document = RepositoryPassphrase(
            access.settings(),
            action="add" if add is not None else "remove" if remove is not None else "list",
            new_file=NEW_PASSPHRASE_FILE if add is not None else None,
            label=label,
            key=remove,
        )
        return await run_repository_task(services, access, document, timeout_s=options.timeout_s)

    result = run(options, work)
    if options.output != "table":
        print_data(options, dict(result))
        return 0
    rows = [
        (row["id"][:12], row["label"], row["created"], "in use" if row["current"] else "")
        for row in result["passphrases"]
    ]
    print_text(render_table(("ID", "LABEL", "ADDED", ""), rows))
    return 0


for _one in (init, list_snapshots, check, prune, stats, passphrase):
    command.add_command(_one)
