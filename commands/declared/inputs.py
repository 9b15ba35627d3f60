"""The inputs of a declared action: its file's ``inputs`` as the pydantic model that forms, lines and validation share.

A request keeps what was typed (``small``, ``4h``); ``seen`` gives what CEL sees of it (``10Gi``, 14400).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
)

from chatops.kernel.action import Asked, ChangeInputs, InputKind
from chatops.kernel.declaration import Declaration, DeclaredInput
from chatops.kernel.durations import short

LONGEST_TEXT = 3000  # characters unless the file says otherwise: what a field of Slack's forms holds
LONGEST_ANYWHERE = 100_000
LONGEST_NAME = 253  # characters of a service, person, version or option
LARGEST_INTEGER = 2**63 - 1  # CEL's integers have 64 bits
VERSION = re.compile(r"sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
PERSON = re.compile(r"[UW][A-Z0-9]{2,20}|[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")
_SPAN = re.compile(r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_KINDS = {
    "integer": InputKind.INTEGER,
    "number": InputKind.NUMBER,
    "boolean": InputKind.BOOLEAN,
    "service": InputKind.SERVICE,
    "environment": InputKind.ENVIRONMENT,
    "team": InputKind.TEAM,
    "person": InputKind.PERSON,
    "version": InputKind.VERSION,
    "duration": InputKind.DURATION,
    "datetime": InputKind.DATETIME,
}
_NUMBERS: Mapping[str, type[int] | type[float]] = {"integer": int, "number": float}


def model_of(declaration: Declaration) -> type[BaseModel]:
    """The frozen inputs model of a declaration: its inputs in order, then the reason."""
    fields: dict[str, Any] = {one.name: _field(one) for one in declaration.inputs}
    name = "".join(word.capitalize() for word in re.split(r"\W+", declaration.name))
    return create_model(name, __base__=ChangeInputs, __module__=__name__, **fields)


def seen(declaration: Declaration, inputs: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """How CEL sees the inputs, also half filled in ones (a mapping of what is valid so far).

    A choice is the value on the right of its option, a duration whole seconds, a date a time; a number that was not
    given is null, every other input that was not given is ``""`` or ``[]``.
    """
    given = inputs.model_dump() if isinstance(inputs, BaseModel) else dict(inputs)
    known = {one.name: one for one in declaration.inputs}
    return {name: _seen(known[name], value) if name in known else value for name, value in given.items()}


def is_needed(one: DeclaredInput) -> bool:
    """Whether the model insists on a value."""
    return one.required and not one.show_when and one.default is None and one.type != "boolean"


def title_of(one: DeclaredInput) -> str:
    """An input's title in forms."""
    return one.title or one.name.replace("_", " ").capitalize()


def seconds(text: str) -> int:
    """``90s``, ``30m``, ``4h``, ``1h30m``, ``2d``, ``1w`` in seconds; raises ``ValueError``."""
    found = _SPAN.fullmatch(text.strip())
    total = sum(int(n or 0) * size for n, size in zip(found.groups(), (604800, 86400, 3600, 60, 1), strict=True)) \
        if found else 0  # fmt: skip
    if total <= 0:
        raise ValueError(f"{text[:40]!r} is no duration: write 30m, 4h or 2d.")
    return total


def moment(text: str) -> datetime:
    """A date, or a date and time, in ISO 8601; without a time zone it is UTC. Raises ``ValueError``."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no date and time: write 2026-12-24T10:00Z.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_NO_SIZE = frozenset({"integer", "number", "duration", "datetime"})  # absent, they are null


def _has_default(one: DeclaredInput) -> bool:
    return one.default is not None or bool(one.default_from) or one.type == "boolean"


def _field(one: DeclaredInput) -> tuple[Any, Any]:
    kind, absent = _kind(one)
    needed = bool(one.show_when) and one.required and not _has_default(one)
    asked = Asked(
        one.options, one.options_from, one.default_from, one.show_when, needed, one.min_length or 0,
        *((one.minimum, one.maximum) if one.type == "duration" else ()),
    )  # fmt: skip
    default = absent if one.default is None else tuple(one.default) if one.several else one.default
    info = Field(... if is_needed(one) else default, title=title_of(one), description=one.help or None)
    return Annotated[kind, *_limits(one), _asked_as(one), asked], info


def _kind(one: DeclaredInput) -> tuple[Any, Any]:
    """The Python type, and the value that stands for none."""
    if one.type == "boolean":
        return bool, False
    if one.several:
        return tuple[str, ...], ()
    if one.type in _NO_SIZE:
        kind = _NUMBERS.get(one.type, str)
        return (kind if is_needed(one) else kind | None), None
    return str, ""


def _asked_as(one: DeclaredInput) -> InputKind:
    if one.type == "choice":
        return InputKind.CHOICES if one.several else InputKind.CHOICE
    if one.type == "text":
        return InputKind.LONG_TEXT if one.multiline else InputKind.TEXT
    return _KINDS[one.type]


def _limits(one: DeclaredInput) -> Iterator[Any]:
    """What pydantic checks: limits that forms know too, and sentences of our own."""
    if one.type in _NUMBERS:
        kind = _NUMBERS[one.type]
        if one.minimum is not None:
            yield Ge(kind(one.minimum))
        if one.maximum is not None:
            yield Le(kind(one.maximum))
        yield AfterValidator(partial(_countable, title_of(one)))
    elif one.several:
        yield BeforeValidator(_split)
        yield AfterValidator(partial(_chosen, one))
    elif one.type != "boolean":
        if one.type == "text":
            yield MaxLen(min(one.max_length or LONGEST_TEXT, LONGEST_ANYWHERE))
        elif one.type not in _NO_SIZE:
            yield MaxLen(LONGEST_NAME)
        yield AfterValidator(_checked(one))


def _checked(one: DeclaredInput) -> Callable[[str | None], str | None]:
    """Checks a text that is there; raises ``ValueError`` with the sentence that stands at its field."""
    check = _CHECKS.get(one.type, _named)(one)

    def checked(text: str | None) -> str | None:
        if text:
            check(text)
        elif is_needed(one):
            raise ValueError(f"{title_of(one)} is needed.")
        return text

    return checked


def _named(one: DeclaredInput) -> Callable[[str], Any]:
    return lambda text: text  # the catalog knows which services, environments and teams there are


def _text(one: DeclaredInput) -> Callable[[str], Any]:
    # pydantic's patterns take linear time; Python's own can be made to take for ever
    pattern = TypeAdapter(Annotated[str, StringConstraints(pattern=f"^(?:{one.pattern})$")]) if one.pattern else None
    shortest = one.min_length or 0

    def check(text: str) -> None:
        if len(text) < shortest:
            raise ValueError(f"{title_of(one)} is too short: at least {shortest} characters.")
        if pattern is not None:
            try:
                pattern.validate_python(text)
            except ValidationError:
                like = one.help or f"it has to match {one.pattern}"
                raise ValueError(f"{title_of(one)} {text[:40]!r} does not fit: {like}") from None

    return check


def _option(one: DeclaredInput) -> Callable[[str], Any]:
    return lambda text: _chosen(one, (text,))


def _version(one: DeclaredInput) -> Callable[[str], Any]:
    def check(text: str) -> None:
        if not VERSION.fullmatch(text):
            said = "an image tag (letters, digits, dots, dashes; at most 128 characters, no spaces)"
            raise ValueError(f"{title_of(one)} must be {said} or a digest sha256:…")

    return check


def _person(one: DeclaredInput) -> Callable[[str], Any]:
    def check(text: str) -> None:
        if not PERSON.fullmatch(text):
            raise ValueError(f"{title_of(one)} must be an e-mail address or a Slack user id.")

    return check


def _duration(one: DeclaredInput) -> Callable[[str], Any]:
    def check(text: str) -> None:
        found = seconds(text)
        if one.minimum is not None and found < one.minimum:
            raise ValueError(f"{title_of(one)} must be {short(one.minimum)} or more.")
        if one.maximum is not None and found > one.maximum:
            raise ValueError(f"{title_of(one)} must be {short(one.maximum)} or less.")

    return check


def _datetime(one: DeclaredInput) -> Callable[[str], Any]:
    return moment


_CHECKS: Mapping[str, Callable[[DeclaredInput], Callable[[str], Any]]] = {
    "text": _text,
    "choice": _option,
    "version": _version,
    "person": _person,
    "duration": _duration,
    "datetime": _datetime,
}


def _chosen(one: DeclaredInput, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Options that are looked up are checked where they are looked up."""
    strange = [text for text in chosen if one.options and text not in one.options]
    if strange:
        raise ValueError(f"{title_of(one)} must be {_either(tuple(one.options))}, not {strange[0][:40]!r}.")
    if not chosen and is_needed(one):
        raise ValueError(f"{title_of(one)} is needed.")
    return tuple(dict.fromkeys(chosen))


def _countable(title: str, number: float | None) -> float | None:
    if number is not None and (not isfinite(number) or abs(number) > LARGEST_INTEGER):
        raise ValueError(f"{title} is too large a number.")
    return number


def _split(given: Any) -> Any:
    """``a,b`` from a line."""
    return [one.strip() for one in given.split(",") if one.strip()] if isinstance(given, str) else given


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _seen(one: DeclaredInput, value: Any) -> Any:
    if value is None or value == "":
        return value
    if one.type == "choice" and one.options:
        return [one.options.get(label, label) for label in value] if one.several else one.options.get(value, value)
    if one.type == "choice" and one.several:
        return list(value)
    if one.type == "duration":
        return seconds(value)
    return moment(value) if one.type == "datetime" else value
