"""From what a person typed or filled in to an action's typed inputs, with every mistake named at its field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticUndefined

from chatops.kernel.action import Action, Input, InputKind, inputs_of
from chatops.kernel.catalog import Platform, closest
from chatops.kernel.errors import InputError
from chatops.kernel.several import parted
from chatops.requests.letters import odd_letter, unreadable

LONGEST = 100_000  # characters of any value
# What is wrong with the letters and not with the length: where a letter only looks right, it is said which
_SPELLING = frozenset({"value_error", "literal_error", "string_pattern_mismatch", "int_parsing", "float_parsing"})


class InputErrors(InputError):
    """Several mistakes at once; ``errors`` has one a field, the first one's words stand for all."""

    def __init__(self, errors: Iterable[InputError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.message, field=first.field, suggestion=first.suggestion, hint=first.hint)


def parse(action: Action, values: Mapping[str, Any], platform: Platform) -> BaseModel:
    """The action's inputs from texts or typed values; raises ``InputErrors``."""
    fields = {field.name: field for field in inputs_of(action.inputs)}
    given = {name: value for name, value in values.items() if value not in (None, "")}
    errors = [_unknown_field(action, name, fields) for name in given if name not in fields]
    errors += [error for name, field in fields.items() if (error := _unknown_name(field, given.get(name), platform))]
    try:
        inputs = action.inputs.model_validate(
            {name: as_given(fields[name], value) for name, value in given.items() if name in fields}
        )
    except ValidationError as wrong:
        known = {error.field for error in errors}
        errors += [error for problem in wrong.errors() if (error := _said(problem, fields)).field not in known]
    known = {error.field for error in errors}
    errors += [error for name, one in fields.items() if name not in known and (error := _odd(one, given.get(name)))]
    if not errors and action.check is not None:
        try:
            action.check(inputs, platform)
        except InputError as wrong:
            errors.append(wrong)
    if errors:
        raise InputErrors(errors)
    return inputs


def valid_values(action: Action, values: Mapping[str, Any]) -> dict[str, Any]:
    """What is valid so far, by input name: the rest is left out, what was not given has its default."""
    return dict(_valid(action, values))


def _valid(action: Action, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    kinds = _kinds(action.inputs)
    for field in inputs_of(action.inputs):
        value = values.get(field.name)
        if value in (None, ""):
            value = action.inputs.model_fields[field.name].default
        if value is not PydanticUndefined:
            try:
                yield field.name, kinds[field.name].validate_python(as_given(field, value))
            except ValidationError:
                continue  # half typed: the same as not given yet


@lru_cache(maxsize=256)
def _kinds(model: type[BaseModel]) -> dict[str, TypeAdapter[Any]]:
    kinds: dict[str, Any] = {name: Annotated[info.annotation, info] for name, info in model.model_fields.items()}
    return {name: TypeAdapter(kind) for name, kind in kinds.items()}


def as_given(field: Input, value: Any) -> Any:
    """A text as the model takes it: several choices apart, blanks around it taken off."""
    if not isinstance(value, str):
        return value
    return parted(value) if field.kind is InputKind.CHOICES else value.strip()


def _odd(field: Input, value: Any) -> InputError | None:
    """What a model does not see: a text without end, and letters that nobody sees."""
    if not isinstance(value, str):
        return None
    if len(value) > LONGEST:
        return InputError(f"{field.title} is too long: at most {LONGEST} characters.", field=field.name)
    problem = unreadable(value.strip(), lines=field.kind is InputKind.LONG_TEXT)
    return InputError(f"{field.title} {problem}", field=field.name, hint="Type it anew.") if problem else None


def _unknown_field(action: Action, name: str, fields: Mapping[str, Input]) -> InputError:
    meant = closest(name, fields)
    hint = f"Did you mean {meant}?" if meant else f"It takes {', '.join(fields)}."
    return InputError(f"{action.title} has no input {name!r}.", suggestion=meant, hint=hint)


def _unknown_name(field: Input, value: Any, platform: Platform) -> InputError | None:
    known: Mapping[str, Any] | None = None
    if field.kind is InputKind.SERVICE:
        known = platform.services
    elif field.kind is InputKind.ENVIRONMENT:
        known = platform.environments
    elif field.kind is InputKind.TEAM:
        known = platform.teams
    if known is None or value is None or value in known:
        return None
    meant = closest(str(value), known)
    shown = str(value)[:60]
    hint = f"Did you mean {meant}?" if meant else _some(known)
    said = f"There is no {field.title.lower()} called {shown!r}."
    return InputError(said, field=field.name, suggestion=meant, hint=f"{odd_letter(str(value))} {hint}".strip())


def _some(known: Mapping[str, Any]) -> str:
    return f"There are {', '.join(list(known)[:8])}{' and more' if len(known) > 8 else ''}."


def _said(problem: Any, fields: Mapping[str, Input]) -> InputError:
    """A sentence in the words of the form for what pydantic found (https://docs.pydantic.dev: error types)."""
    name = str(problem["loc"][0]) if problem["loc"] else ""
    field = fields.get(name)
    title = field.title if field else name or "The input"
    limits = problem.get("ctx", {})
    kind = problem["type"]
    sentences = {
        "missing": f"{title} is needed.",
        "string_too_long": f"{title} is too long: at most {limits.get('max_length')} characters.",
        "string_too_short": f"{title} is too short: at least {limits.get('min_length')} characters.",
        "too_long": f"{title} is too long: at most {limits.get('max_length')} characters.",
        "too_short": f"{title} needs at least {limits.get('min_length')}.",
        "int_parsing": f"{title} must be a whole number.",
        "int_from_float": f"{title} must be a whole number.",
        "int_parsing_size": f"{title} is too large a number.",
        "float_parsing": f"{title} must be a number.",
        "finite_number": f"{title} must be a number.",
        "greater_than_equal": f"{title} must be {limits.get('ge')} or more.",
        "less_than_equal": f"{title} must be {limits.get('le')} or less.",
        "literal_error": f"{title} must be {limits.get('expected')}.",
        "bool_parsing": f"{title} must be yes or no.",
    }
    sentence = sentences.get(kind, f"{title}: {problem['msg']}.")
    if field is not None and kind == "string_pattern_mismatch":
        sentence = _misfit(field)
    elif kind == "value_error":
        sentence = str(limits.get("error", problem["msg"]))
    given = problem.get("input")
    hint = odd_letter(given) if kind in _SPELLING and isinstance(given, str) else ""
    return InputError(sentence, field=name, hint=hint)


def _misfit(field: Input) -> str:
    """What would fit, in the words of the input's own help where it has some: nobody reads patterns."""
    if field.kind is InputKind.VERSION:
        return (
            "Version must be an image tag (letters, digits, dots, dashes; at most 128 characters, no spaces) "
            "or a digest sha256:…"
        )
    return f"{field.title} does not fit: {field.help}" if field.help else f"{field.title} has letters that don't fit."
