# SPDX-License-Identifier: Apache-2.0
"""What all models share: frozen values with camelCase names in YAML and snake_case names in Python.

Rules between fields are checked on what was written, not on what was read, so that a broken rule and a bad value in
the same mapping are both reported. Never does I/O. Every model of `mooring.api` derives from `Model`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

API_VERSION: Final = "mooring.dev/v1alpha1"


class Model(BaseModel):
    """A frozen value; unknown fields are refused, messages never carry the input."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        defer_build=True,
        hide_input_in_errors=True,
    )


@dataclass(frozen=True)
class Broken:
    """A rule between fields that what was written breaks.

    Attributes:
        message: what is wrong.
        field: the Python name of the field to point at; None for the mapping as a whole.
        allowed: what could stand there.
    """

    message: str
    field: str | None = None
    allowed: tuple[str, ...] = ()


class RuledModel(Model):
    """A model with rules between its fields; they are reported together with the faults of the fields."""

    @classmethod
    def find_broken(cls, given: Mapping[str, Any]) -> Iterator[Broken]:
        """The rules that `given` breaks.

        Args:
            given: what was written, by Python name and not yet validated: any type may stand anywhere. Fields that are
                null or left out are missing.
        """
        raise NotImplementedError

    @model_validator(mode="wrap")
    @classmethod
    def _check_rules(cls, data: Any, handler: Callable[[Any], Self]) -> Self:
        if not isinstance(data, Mapping):
            return handler(data)
        fields = {str(info.alias): name for name, info in cls.model_fields.items()}
        given: dict[str, Any] = {str(fields.get(key, key)): value for key, value in data.items() if value is not None}
        faults = [_details(broken, cls) for broken in cls.find_broken(given)]
        if not faults:
            return handler(data)
        try:
            handler(data)
        except ValidationError as error:
            faults.extend(
                InitErrorDetails(
                    type=PydanticCustomError(
                        detail["type"],
                        "{text}",
                        {**detail.get("ctx", {}), "text": detail["msg"]},
                    ),
                    loc=detail["loc"],
                    input=detail["input"],
                )
                for detail in error.errors(include_url=False)
            )
        raise ValidationError.from_exception_data(cls.__name__, faults, hide_input=True)


def _details(broken: Broken, model: type[Model]) -> InitErrorDetails:
    loc: tuple[str, ...] = ()
    if broken.field is not None:
        loc = (model.model_fields[broken.field].alias or broken.field,)
    context = {"text": broken.message, "allowed": broken.allowed}
    return InitErrorDetails(type=PydanticCustomError("mooring_rule", "{text}", context), loc=loc, input=None)


def find_not_one_of(given: Mapping[str, Any], names: tuple[str, ...], *, needed: bool, where: str) -> Iterator[Broken]:
    """The fault where more than one of `names` is given, or none although one is needed.

    Args:
        given: as in `RuledModel.find_broken`.
        names: Python names of fields that exclude each other.
        needed: whether one must be given.
        where: what the fields belong to, for the message.
    """
    present = [name for name in names if name in given]
    shown = tuple(to_camel(name) for name in names)
    if len(present) > 1:
        yield Broken(
            f"{where} takes only one of {', '.join(shown)}, not {' and '.join(map(to_camel, present))}",
            field=present[1],
        )
    elif needed and not present:
        yield Broken(f"{where} needs one of {', '.join(shown)}", allowed=shown)


def described(text: str, **more: Any) -> Any:
    """A needed field with its documentation."""
    return Field(description=text, **more)
