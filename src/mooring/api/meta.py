# SPDX-License-Identifier: Apache-2.0
"""The parts that every document has, and how documents point at one another and at Secrets.

Holds no kind of its own. The kinds derive from `Resource`; everything below `Resource` is used in their specs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, GetJsonSchemaHandler, JsonValue, model_serializer, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from mooring.api.base import API_VERSION, Broken, Model, RuledModel, described, find_not_one_of
from mooring.api.texts import (
    AbsolutePath,
    LabelValue,
    LongText,
    Namespace,
    ObjectName,
    QualifiedKey,
    ResourceName,
    SecretKey,
)

_FILE = "file:"


class ObjectMeta(Model):
    """Who a document is."""

    name: ResourceName = described(
        "The document's name, unique for its kind in its namespace. At most 40 lower-case letters, digits and hyphens, "
        "starting with a letter. It cannot be changed: another name is another object."
    )
    namespace: Namespace = Field(
        default="default",
        description="Groups documents; names need be unique within it only. On Kubernetes it is the cluster's namespace.",
    )
    labels: Mapping[QualifiedKey, LabelValue] = Field(
        default_factory=dict, description="Words of your own to select documents by. Mooring gives them no meaning."
    )
    annotations: Mapping[QualifiedKey, LongText] = Field(
        default_factory=dict, description="Notes of your own or of other programs. Mooring gives them no meaning."
    )


class Resource(Model):
    """What all kinds have in common. Every kind narrows `kind` and `spec`."""

    api_version: Literal["mooring.dev/v1alpha1"] = Field(
        default=API_VERSION, description="The version of the format that the document is written in."
    )
    kind: str = described("What the document describes.")
    metadata: ObjectMeta = described("The document's name, namespace and labels.")
    spec: Model = described("What is wanted.")

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """`metadata.namespace`."""
        return self.metadata.namespace

    @property
    def identity(self) -> tuple[str, str, str]:
        """Kind, namespace and name: what makes a document this one."""
        return (self.kind, self.metadata.namespace, self.metadata.name)


class LocalRef(Model):
    """An object of the same namespace."""

    name: ObjectName = described("The object's name.")


class NamespacedRef(Model):
    """An object, possibly of another namespace."""

    name: ObjectName = described("The object's name.")
    namespace: Namespace | None = Field(
        default=None, description="The object's namespace. Left out: the namespace of this document."
    )


class SecretRef(RuledModel):
    """A Secret as a whole: `{name: NAME}`; or, away from Kubernetes, `file:/FOLDER` with one file a key."""

    name: ObjectName | None = Field(default=None, description="The Secret's name.")
    file: AbsolutePath | None = Field(default=None, description="A folder with one file a key, instead.")

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """A Secret or a folder."""
        yield from find_not_one_of(given, ("name", "file"), needed=True, where="a reference to a Secret")

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, data: Any) -> Any:
        return _read_file(data, "{name} of a Secret, or file:/FOLDER")

    @model_serializer(mode="plain")
    def _dump(self) -> str | dict[str, str]:
        return _dump_reference(self.file, {"name": self.name})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return _show_reference(handler(schema), handler, ("name",))


class SecretKeyRef(RuledModel):
    """One value of a Secret: `{name: NAME, key: KEY}`; or, away from Kubernetes, `file:/PATH` of a file with it alone."""

    name: ObjectName | None = Field(default=None, description="The Secret's name.")
    key: SecretKey | None = Field(default=None, description="The key of the value in the Secret.")
    file: AbsolutePath | None = Field(default=None, description="A file that holds the value alone, instead.")

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """A Secret and its key, or a file."""
        if "file" in given:
            yield from find_not_one_of(given, ("file", "name"), needed=True, where="a reference to a Secret")
            yield from find_not_one_of(given, ("file", "key"), needed=True, where="a reference to a Secret")
            return
        for name in ("name", "key"):
            if name not in given:
                yield Broken(f"a reference to a Secret needs {name}")

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, data: Any) -> Any:
        return _read_file(data, "{name, key} of a Secret, or file:/PATH")

    @model_serializer(mode="plain")
    def _dump(self) -> str | dict[str, str]:
        return _dump_reference(self.file, {"name": self.name, "key": self.key})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return _show_reference(handler(schema), handler, ("name", "key"))


def _read_file(data: Any, expected: str) -> Any:
    """The mapping that `file:/PATH` stands for; anything else as it is, but other text is refused."""
    if not isinstance(data, str):
        return data
    if not data.startswith(_FILE):
        raise PydanticCustomError("mooring_text", "{text}", {"text": f"expected {expected}"})
    return {"file": data.removeprefix(_FILE)}


def _dump_reference(file: str | None, fields: Mapping[str, str | None]) -> str | dict[str, str]:
    if file is not None:
        return _FILE + file
    return {key: value for key, value in fields.items() if value is not None}


def _show_reference(shown: dict[str, Any], handler: GetJsonSchemaHandler, names: tuple[str, ...]) -> dict[str, Any]:
    """Add the form `file:/PATH` to the schema of a reference, in place where it is shared."""
    whole = handler.resolve_ref_schema(shown)
    mapping = {key: whole.pop(key) for key in ("type", "properties", "additionalProperties")}
    mapping["properties"] = {name: mapping["properties"][name] for name in names}
    whole["anyOf"] = [{"type": "string", "pattern": "^file:/"}, {**mapping, "required": list(names)}]
    return shown


JsonObject = Mapping[str, JsonValue]
"""A mapping that is passed on as it is."""
