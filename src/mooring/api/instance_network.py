# SPDX-License-Identifier: Apache-2.0
"""Groups of `OdooInstance.spec` about the network: ingress, service, and plain switches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from mooring.api.base import Broken, Model, RuledModel, described, find_not_one_of
from mooring.api.enums import ServiceType
from mooring.api.texts import Email, Flag, HostName, Namespace, ObjectName, OptionalLine, Port, QualifiedKey

_TLS = ("secret_name", "issuer", "acme_email", "internal", "none")


class TlsSpec(RuledModel):
    """Where the certificate comes from: exactly one of the fields."""

    secret_name: ObjectName | None = Field(
        default=None, description="A Secret with the keys `tls.crt` and `tls.key` that you look after yourself."
    )
    issuer: ObjectName | None = Field(
        default=None, description="Name of a cert-manager ClusterIssuer; Kubernetes only."
    )
    acme_email: Email | None = Field(
        default=None, description="A certificate by ACME (Let's Encrypt), whose authority writes to this address."
    )
    internal: Literal[True] | None = Field(
        default=None,
        description="A certificate of an authority of the machine's own; browsers must be told to trust it.",
    )
    none: Literal[True] | None = Field(default=None, description="No encryption: plain HTTP.")

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """One source of certificates."""
        yield from find_not_one_of(given, _TLS, needed=True, where="tls")


class GatewayRef(Model):
    """A Gateway of Kubernetes' Gateway API."""

    name: ObjectName = described("The Gateway's name.")
    namespace: Namespace | None = Field(
        default=None, description="The Gateway's namespace. Left out: the namespace of this document."
    )


class IngressSpec(RuledModel):
    """How users reach the instance by name."""

    hosts: tuple[HostName, ...] = Field(
        default=(), description="Host names, without wildcards. The first is the main one. None: a local port alone."
    )
    class_name: ObjectName | None = Field(
        default=None, description="Kubernetes' ingress class. Left out: the installation's default."
    )
    tls: TlsSpec | None = Field(
        default=None,
        description="Where the certificate comes from. Left out: the installation's default, else plain HTTP.",
    )
    annotations: Mapping[QualifiedKey, OptionalLine] = Field(
        default_factory=dict, description="Annotations of the Kubernetes Ingress or HTTPRoute."
    )
    gateway_ref: GatewayRef | None = Field(
        default=None, description="Publishes by an HTTPRoute of this Gateway instead of an Ingress; Kubernetes only."
    )

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """Each host once; one way to publish."""
        hosts = given.get("hosts")
        if isinstance(hosts, list | tuple):
            names = [host.lower() for host in hosts if isinstance(host, str)]
            if len(set(names)) < len(names):
                yield Broken("names a host twice", field="hosts")
        yield from find_not_one_of(given, ("class_name", "gateway_ref"), needed=False, where="ingress")


class ServiceSpec(Model):
    """Where the instance is published inside the cluster or on the machine."""

    type: ServiceType = Field(default=ServiceType.CLUSTER_IP, description="Kubernetes' type of service.")
    annotations: Mapping[QualifiedKey, OptionalLine] = Field(
        default_factory=dict, description="Annotations of the Kubernetes Service."
    )
    port: Port | None = Field(
        default=None,
        description="On Docker and hosts: the port of the machine's loopback address where it is published without "
        "ingress. Left out: a free one, which is remembered.",
    )


class Switch(Model):
    """Something that is on unless it is switched off."""

    enabled: Flag = Field(default=True, description="Whether it is on.")
