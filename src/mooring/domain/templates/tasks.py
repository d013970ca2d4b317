# SPDX-License-Identifier: Apache-2.0
"""The tasks that make templates, list them and drop them, as values. Pure.

A template is made in a place of its own, with a volume, a role and secrets of its own, which go when it is made: it never
shares anything with an instance, and reaches nothing but its database.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mooring.api.instance import OdooInstanceSpec
from mooring.domain.instance.subject import DATA_DIR, PinnedRelease, ServerAccess, Subject
from mooring.domain.instance.tasks import (
    OWNER_PASSWORD_FILE,
    admin_connection,
    admin_task,
    filestore_mount,
    generated_secret,
    odoo_task,
    owner_connection,
    owner_task,
    task_stem,
)
from mooring.domain.model.identity import Identity, Ref
from mooring.domain.model.release import ReleaseFacts, ResolvedRelease
from mooring.domain.model.secret import SecretKey, SecretRef
from mooring.domain.odoo.argv import argv_init
from mooring.domain.operations.plan import RunTask
from mooring.domain.task import TaskSpec
from mooring.domain.templates.recipe import Recipe, describe_recipe
from mooring.domain.work.codec import Document
from mooring.domain.work.common import Fence
from mooring.domain.work.templates import (
    TemplateBegin,
    TemplatePack,
    TemplatePrune,
    TemplatePublish,
    template_building,
    template_database,
)

KIND = "DatabaseTemplate"
MASTER = "master-password"
# A task with the administrator's rights alone runs nothing of Odoo.
_NO_RELEASE = PinnedRelease(ResolvedRelease("", "", ""), ReleaseFacts("", 0, 0, "", "", ""))


@dataclass(frozen=True)
class Bounds:
    """How many templates a server keeps, and for how many seconds after their last use."""

    keep: int
    max_age_s: int


@dataclass(frozen=True)
class Prune:
    """What goes; the fields of `TemplatePrune`. By default nothing does."""

    keep: int | None = None
    max_age_s: int | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Building:
    """A template in the making.

    Attributes:
        subject: as of an instance that has nothing but the recipe.
        admin_user: role that may create databases.
        run: fresh id of this attempt.
    """

    subject: Subject
    recipe: Recipe
    admin_user: str
    run: str
    bounds: Bounds

    @property
    def id(self) -> str:
        """The template's id."""
        return self.subject.identity.instance

    @property
    def place(self) -> Ref:
        """Where it is made."""
        return self.subject.ref

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its tasks: the same for each attempt, so that what an earlier one left is found."""
        return task_names(self.place)

    @property
    def _fence(self) -> Fence:
        return Fence(self.run, 1)

    def _stem(self, step: str) -> str:
        return task_stem(self.place, step)

    def begin(self) -> TaskSpec:
        """Role and empty database."""
        document = TemplateBegin(
            connection=admin_connection(self.subject, self.admin_user),
            fence=self._fence,
            template=self.id,
            installation=self.subject.identity.installation,
            owner_password_file=OWNER_PASSWORD_FILE,
            about=self._about(),
        )
        return admin_task(self.subject, self._stem("begin"), document, owner_password=True).attempt(1)

    def install(self) -> TaskSpec:
        """Odoo's own `-i`."""
        release = self.subject.release
        argv = argv_init(
            release.odoo,
            database=self.subject.database,
            modules=self.recipe.modules,
            demo=self.recipe.demo,
            language=self.recipe.language,
            program=release.facts.program,
        )
        return odoo_task(self.subject, self._stem("install"), argv).attempt(1)

    def pack(self) -> TaskSpec:
        """Proof, and the filestore into the database."""
        document = TemplatePack(
            connection=owner_connection(self.subject),
            template=self.id,
            data_dir=DATA_DIR,
            expect=self.recipe.modules,
            series=self.subject.release.facts.series,
        )
        return files_task(self.subject, self._stem("pack"), document).attempt(1)

    def publish(self) -> TaskSpec:
        """Its name, and no way in."""
        document = TemplatePublish(
            connection=admin_connection(self.subject, self.admin_user),
            fence=self._fence,
            template=self.id,
            installation=self.subject.identity.installation,
            keep=self.bounds.keep,
            max_age_s=self.bounds.max_age_s,
            about=self._about(),
        )
        return admin_task(self.subject, self._stem("publish"), document).attempt(1)

    def _about(self) -> dict[str, str]:
        return describe_recipe(self.recipe, self.subject.release.release.source)


def plan_building(
    subject: Subject, recipe: Recipe, *, installation: str, admin_user: str, run: str, bounds: Bounds
) -> Building:
    """How the template of a recipe is made on the server of an instance that wants it.

    Args:
        subject: the instance; nothing of it but release and server goes in.
        installation: id of this Mooring.
        admin_user: the server's administrator.
        run: fresh id of this attempt.
    """
    server = subject.server
    if server.ref is None:
        raise ValueError(f"{subject.ref} has a database server of its own kind")
    template = recipe.id(installation)
    place = place_of(server.ref, template)
    given = {"configOptions": dict(recipe.options), "init": {"demo": recipe.demo}}
    bare = Subject(
        ref=place,
        identity=Identity(installation, template),
        spec=OdooInstanceSpec.model_validate(given),
        environment="Production",
        release=subject.release,
        server=server,
        database=template_building(template),
        owner=template_database(template),
        owner_secret=generated_secret(place, "database"),
        master_password=SecretKey(generated_secret(place, "odoo"), MASTER),
        admin_password=SecretKey(generated_secret(place, "odoo"), MASTER),
        versions=dict(subject.versions),
    )
    return Building(bare, recipe, admin_user, run, bounds)


def place_of(server: Ref, template: str) -> Ref:
    """Where a template of a server is made."""
    return Ref(KIND, server.namespace, f"template-{template}")


def task_names(place: Ref) -> tuple[str, ...]:
    """Names of the tasks that make the template of a place."""
    return tuple(f"{task_stem(place, step)}-1" for step in ("begin", "install", "pack", "publish"))


def place_secrets(place: Ref) -> tuple[SecretRef, ...]:
    """The secrets that a template in the making has."""
    return (generated_secret(place, "database"), generated_secret(place, "odoo"))


def prune_task(server: ServerAccess, admin_user: str, *, installation: str, run: str, prune: Prune) -> TaskSpec:
    """List the templates of a server, and drop what `prune` says.

    Args:
        server: it has an administrator.
        run: fresh id.
    """
    if server.ref is None:
        raise ValueError("a server without a name has no templates")
    place = Ref(KIND, server.ref.namespace, f"{server.ref.name}-{run[:8]}")
    subject = Subject(
        ref=place,
        identity=Identity(installation, run),
        spec=OdooInstanceSpec(),
        environment="Production",
        release=_NO_RELEASE,
        server=server,
        database="",
        owner="",
        owner_secret=generated_secret(place, "database"),
        master_password=SecretKey(generated_secret(place, "odoo"), MASTER),
        admin_password=SecretKey(generated_secret(place, "odoo"), MASTER),
    )
    document = TemplatePrune(
        connection=admin_connection(subject, admin_user),
        fence=Fence(run, 1),
        installation=installation,
        keep=prune.keep,
        max_age_s=prune.max_age_s,
        also=prune.also,
    )
    return admin_task(subject, task_stem(place, "prune"), document).attempt(1)


def files_task(subject: Subject, stem: str, document: Document, *, admin_password: bool = False) -> RunTask:
    """A task with the owner's rights on the database, and as Odoo's user on the filestore.

    Args:
        admin_password: the password of Odoo's user `admin` is there too, to set it.
    """
    facts = subject.release.facts
    user = (facts.uid, facts.gid)
    base = owner_task(subject, stem, document, admin_password=admin_password)
    task = replace(
        base.task,
        user=user,
        files=tuple(replace(file, uid=user[0], gid=user[1]) for file in base.task.files),
        mounts=(filestore_mount(subject.release),),
    )
    return replace(base, task=task)
