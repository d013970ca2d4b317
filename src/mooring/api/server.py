# SPDX-License-Identifier: Apache-2.0
"""The kind `DatabaseServer`: a PostgreSQL that instances use, run by Mooring or by somebody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from mooring.api.base import Broken, Model, RuledModel, described
from mooring.api.common import ManagedPostgres, PostgresAddress
from mooring.api.meta import Resource, SecretRef
from mooring.api.quantity import Duration
from mooring.api.texts import AllowedNamespace, Count, Flag, ImageReference, ObjectName


class ManagedServer(ManagedPostgres):
    """A server that Mooring runs, shared by instances."""

    image: ImageReference | None = Field(
        default=None, description="The image that runs. Left out: PostgreSQL's own image of that version."
    )


class ExternalServer(PostgresAddress):
    """A server that somebody else runs, shared by instances."""

    admin_secret_ref: SecretRef | None = Field(
        default=None,
        description="Secret with the keys `user` and `password` of a role that may create roles and databases. Left out: "
        "Mooring creates none, and instances bring their own database and role.",
    )


class CloudNativePG(Model):
    """A cluster of the CloudNativePG operator."""

    cluster: ObjectName = described("Name of the `Cluster` in the same namespace.")


class Templates(Model):
    """Prepared databases from which new ones are copied in a second."""

    max: Count = Field(default=5, description="How many are kept at most. 0 keeps none.")
    max_age: Duration = Field(default=Duration.parse("14d"), description="How long one is kept after its last use.")
    build: Flag = Field(
        default=False,
        description="Whether the agent makes one, in the background, of what each instance of this server is made from.",
    )


class DatabaseServerSpec(RuledModel):
    """What is wanted of a database server."""

    default: Flag = Field(
        default=False,
        description="Whether instances that name no server use this one. Only one server of a namespace may say so.",
    )
    allowed_namespaces: tuple[AllowedNamespace, ...] = Field(
        default=(), description="Other namespaces whose instances may use it; `*` for all. Its own always may."
    )
    managed: ManagedServer | None = Field(default=None, description="A PostgreSQL that Mooring runs.")
    external: ExternalServer | None = Field(default=None, description="A PostgreSQL that somebody else runs.")
    cloud_native_pg: CloudNativePG | None = Field(
        default=None,
        alias="cloudNativePG",
        description="A cluster of the CloudNativePG operator; Kubernetes only.",
    )
    templates: Templates = Field(
        default_factory=Templates, description="Prepared databases from which new ones are copied."
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """A server is one of managed, external and cloudNativePG."""
        present = [name for name in ("managed", "external", "cloud_native_pg") if name in given]
        if len(present) != 1:
            shown = ("managed", "external", "cloudNativePG")
            yield Broken(
                f"a server is exactly one of {', '.join(shown)}",
                field=present[1] if present else None,
                allowed=() if present else shown,
            )


class DatabaseServer(Resource):
    """A PostgreSQL that instances use."""

    kind: Literal["DatabaseServer"] = Field(default="DatabaseServer", description="What the document describes.")
    spec: DatabaseServerSpec = described("What is wanted of the server.")
