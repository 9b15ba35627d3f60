"""What an action asks for: a model's fields, and how forms and lines see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.fields import FieldInfo

from chatops.kernel.declaration import OptionsFrom


class InputKind(StrEnum):
    """How an input is asked for and understood."""

    SERVICE = "service"
    ENVIRONMENT = "environment"
    VERSION = "version"
    ACTION = "action"
    TEXT = "text"
    LONG_TEXT = "long_text"
    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    CHOICES = "choices"  # several of the options
    BOOLEAN = "boolean"
    TEAM = "team"
    PERSON = "person"  # a Slack user id or an e-mail
    DURATION = "duration"  # 30m, 4h, 2d
    DATETIME = "datetime"


ServiceName = Annotated[str, InputKind.SERVICE]
EnvironmentName = Annotated[str, InputKind.ENVIRONMENT]
# An image tag, or a digest: https://github.com/opencontainers/distribution-spec (tags are at most 128 characters)
Version = Annotated[
    str, InputKind.VERSION, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$")
]
Reason = Annotated[str, InputKind.LONG_TEXT, MaxLen(2000)]


class Inputs(BaseModel):
    """Base of every inputs model: frozen, no unknown keys, blanks around text taken off."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class ChangeInputs(Inputs):
    """Base of what changes something: carries the reason, shown to approvers as typed."""

    reason: Reason = Field(default="", title="Reason", description="Why; the approvers read it.")


@dataclass(frozen=True, slots=True)
class Asked:
    """How an input is asked for beyond its type; among the annotations of a model's field."""

    values: Mapping[str, Any] = field(default_factory=dict)  # choice: what people choose → what CEL sees
    options_from: OptionsFrom | None = None
    default_from: str = ""  # CEL
    show_when: str = ""  # CEL
    needed: bool = False  # while show_when shows it; the model cannot insist on it
    min_length: int = 0  # characters, where something is given
    minimum: float | None = None  # seconds of a duration, which is a text that no model compares
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """One input as forms and lines see it."""

    name: str
    title: str
    kind: InputKind
    required: bool
    default: Any = None
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    min_length: int = 0
    max_length: int | None = None
    options: tuple[str, ...] = ()
    asked: Asked = Asked()


@lru_cache(maxsize=1024)  # asked for at every line, form and card, and of every action when the configuration is read
def inputs_of(model: type[BaseModel]) -> tuple[Input, ...]:
    """The inputs of a model in order, the reason last."""
    found = [_input(name, info) for name, info in model.model_fields.items()]
    return tuple(sorted(found, key=lambda one: one.name == "reason"))


def _without_none(annotation: Any) -> Any:
    """``int`` of ``int | None``: what may be left out is asked for like what may not."""
    left = [one for one in get_args(annotation) if one is not NoneType] if isinstance(annotation, UnionType) else []
    return left[0] if len(left) == 1 else annotation


def _input(name: str, info: FieldInfo) -> Input:
    meta = info.metadata
    kind = next((m for m in meta if isinstance(m, InputKind)), None)
    annotation = _without_none(info.annotation)
    asked = next((m for m in meta if isinstance(m, Asked)), Asked())
    options: tuple[str, ...] = ()
    if kind is None:
        if getattr(annotation, "__origin__", None) is Literal:
            kind, options = InputKind.CHOICE, tuple(str(o) for o in annotation.__args__)
        else:
            kinds = {int: InputKind.INTEGER, float: InputKind.NUMBER, bool: InputKind.BOOLEAN}
            kind = kinds.get(annotation, InputKind.TEXT) if annotation else InputKind.TEXT
    return Input(
        name=name,
        title=info.title or name.replace("_", " ").capitalize(),
        kind=kind,
        required=info.is_required(),
        default=None if info.is_required() else info.default,
        help=info.description or "",
        minimum=next((_number(m.ge) for m in meta if isinstance(m, Ge)), asked.minimum),
        maximum=next((_number(m.le) for m in meta if isinstance(m, Le)), asked.maximum),
        min_length=asked.min_length or next((m.min_length for m in meta if isinstance(m, MinLen)), 0),
        max_length=next((m.max_length for m in meta if isinstance(m, MaxLen)), None),
        options=options or tuple(asked.values),
        asked=asked,
    )


def _number(limit: Any) -> float:
    return limit if isinstance(limit, int | float) else float(limit)
