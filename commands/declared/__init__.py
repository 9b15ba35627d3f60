"""Declared actions: what turns a file's ``Declaration`` into the same record that a Python action is."""

from __future__ import annotations

from functools import partial

from chatops.kernel.action import Action
from chatops.kernel.declaration import Declaration, DeclaredInput
from commands.declared import inputs, plan

__all__ = ["action_of"]


def action_of(declaration: Declaration) -> Action:
    """The action of a declaration; ``action_of(Declaration.model_validate_json(action.pinned))`` is the same action."""
    return Action(
        name=declaration.name,
        title=declaration.title,
        risk=declaration.risk,
        inputs=inputs.model_of(declaration),
        usage=_usage(declaration),
        summary=declaration.summary or declaration.title,
        positionals=_positionals(declaration),
        plan=partial(plan.planned, declaration),
        button=declaration.button,
        rules=declaration.rules,
        variables=partial(inputs.seen, declaration),
        pinned=declaration.model_dump_json(exclude_defaults=True),
    )


def _positionals(declaration: Declaration) -> tuple[str, ...]:
    return declaration.positionals or tuple(one.name for one in declaration.inputs if _is_asked(one))


def _is_asked(one: DeclaredInput) -> bool:
    return inputs.is_needed(one) and not one.default_from


def _usage(declaration: Declaration) -> str:
    """``database create SERVICE ENVIRONMENT [size=small|medium|large] because REASON``."""
    places = _positionals(declaration)
    known = {one.name: one for one in declaration.inputs}
    words = [name.upper() if _is_asked(known[name]) else f"[{name.upper()}]" for name in places]
    keyed = [_keyed(one) for one in declaration.inputs if one.name not in places]
    return " ".join([declaration.name.replace(".", " "), *words, *keyed, "because REASON"])


def _keyed(one: DeclaredInput) -> str:
    options = "|".join(one.options)
    word = f"{one.name}={options if 0 < len(options) <= 40 else one.name.upper()}"
    return word if _is_asked(one) else f"[{word}]"
