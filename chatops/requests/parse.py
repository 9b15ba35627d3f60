"""From what a person typed or filled in to an action's typed inputs, with every mistake named at its field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from chatops.kernel.action import Action, Input, InputKind, inputs_of
from chatops.kernel.catalog import Platform, closest
from chatops.kernel.errors import InputError


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
        inputs = action.inputs.model_validate({name: given[name] for name in given if name in fields})
    except ValidationError as wrong:
        known = {error.field for error in errors}
        errors += [error for problem in wrong.errors() if (error := _said(problem, fields)).field not in known]
    if not errors and action.check is not None:
        try:
            action.check(inputs, platform)
        except InputError as wrong:
            errors.append(wrong)
    if errors:
        raise InputErrors(errors)
    return inputs


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
    if known is None or value is None or value in known:
        return None
    meant = closest(str(value), known)
    shown = str(value)[:60]
    hint = f"Did you mean {meant}?" if meant else _some(known)
    return InputError(
        f"There is no {field.title.lower()} called {shown!r}.", field=field.name, suggestion=meant, hint=hint
    )


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
        "too_long": f"{title} is too long: at most {limits.get('max_length')} characters.",
        "int_parsing": f"{title} must be a whole number.",
        "int_from_float": f"{title} must be a whole number.",
        "greater_than_equal": f"{title} must be {limits.get('ge')} or more.",
        "less_than_equal": f"{title} must be {limits.get('le')} or less.",
        "literal_error": f"{title} must be {limits.get('expected')}.",
        "bool_parsing": f"{title} must be yes or no.",
    }
    if field is not None and field.kind is InputKind.VERSION and kind == "string_pattern_mismatch":
        sentence = (
            "Version must be an image tag (letters, digits, dots, dashes; at most 128 characters, no spaces) "
            "or a digest sha256:…"
        )
        return InputError(sentence, field=name)
    if kind == "value_error":
        return InputError(str(limits.get("error", problem["msg"])), field=name)
    return InputError(sentences.get(kind, f"{title}: {problem['msg']}."), field=name)
