"""The CEL of a declared action's inputs: when they show, what they default to, their options, and the rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chatops.adapters.configuration.expressions import Words, cel, sparing_secrets
from chatops.adapters.configuration.fields import Fields, suggestion
from chatops.kernel.cel import BOOL, DYN, STRING, Type, given, list_of, spoken_of
from chatops.kernel.declaration import DeclaredInput, OptionsFrom, Rule

RULE_KEYS = ("check", "message", "field")


def check_lookups(root: Fields, inputs: Iterable[DeclaredInput], words: Words) -> None:
    """The expressions of inputs, now that all inputs are known; ``words`` knows ``catalog``."""
    section, needs = root.get("inputs"), {}
    plain = words.without(catalog="catalog is known in default_from and options_from alone")
    for one in inputs:
        if section is None or not isinstance(section.value, dict):
            continue
        fields = Fields(section.value[one.name], f"input {one.name}", root.problems, section.key_lines[one.name])
        asked = [_asked(fields, "show_when", plain, BOOL), _asked(fields, "default_from", words, _wanted(one, words))]
        if one.options_from is not None:
            asked.append(_lookup(fields, one.options_from, words, plain))
        needs[one.name] = {path for expression in asked if expression for path in _inputs_in(expression)}
    for name in needs:
        if circle := _circle(name, needs):
            fields = Fields(section.value[name], f"input {name}", root.problems, section.key_lines[name])  # type: ignore[union-attr]
            fields.wrong(section.key_lines[name], f"waits for itself ({' ← '.join(circle)}): break the circle")  # type: ignore[union-attr]


def _asked(fields: Fields, key: str, words: Words, result: Type | None) -> str:
    node = fields.get(key)
    return cel(fields, node, key, words, result) if node is not None else ""


def _wanted(one: DeclaredInput, words: Words) -> Type | None:
    """What ``default_from`` has to give: for a choice what people choose, which is text."""
    if one.type == "choice":
        return list_of(STRING) if one.several else STRING
    if one.type == "number":
        return None  # a whole number is a number, too
    return words.vocabulary.variables["inputs"].fields[one.name]


def _lookup(fields: Fields, asked: OptionsFrom, words: Words, plain: Words) -> str:
    node = fields.get("options_from")
    if node is None:
        return ""
    if isinstance(node.value, dict):
        fields, node = Fields(node, f"{fields.where} options_from", fields.problems), node.value["cel"]
    if asked.kind:
        words = plain.knowing(object=DYN)
        words = sparing_secrets(words) if asked.kind == "Secret" else words
        return cel(fields, node, "cel", words, STRING)
    key = "cel" if fields.where.endswith("options_from") else "options_from"
    expression = cel(fields, node, key, words, None)
    if expression and (gives := given(expression, words.vocabulary)).kind not in ("list", "map", "dyn"):
        fields.wrong(node.line, f"{key}: options are a list of texts, or a map; the expression gives {gives}")
    return expression


def _inputs_in(expression: str) -> set[str]:
    """The inputs that an expression depends on; ``env`` and ``service`` are what those inputs name."""
    around = {"env": "environment", "service": "service"}
    found = set()
    for path in spoken_of(expression):
        variable, _, name = path.partition(".")
        found.add(name if variable == "inputs" else around.get(variable, ""))
    return found - {""}


def _circle(name: str, needs: Mapping[str, set[str]]) -> list[str]:
    """The way from an input back to itself, or an empty list."""
    ways = [[name]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for other in sorted(needs.get(way[-1], ())):
            if other == name:
                return [*way, name]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def rules(root: Fields, inputs: Iterable[DeclaredInput], words: Words) -> tuple[Rule, ...]:
    """What the inputs have to fulfil together."""
    found, names = [], [one.name for one in inputs]
    for place, node in enumerate(root.items("rules", "{check: CEL, message: TEXT}"), 1):
        fields = Fields(node, f"rule {place}", root.problems)
        fields.only(*RULE_KEYS)
        check = fields.given("check")
        if check is None:
            fields.wrong(fields.line("check"), "needs check: CEL that is true when all is well")
        expression = cel(fields, check, "check", words, BOOL) if check is not None else ""
        message = fields.text("message", required=True, like="what is said when check is false")
        field = fields.text("field")
        if field and field not in names:
            fields.wrong(fields.line("field"), f"has field {field!r}, which is no input{suggestion(field, names)}")
        if expression and message:
            found.append(Rule(check=expression, message=message, field=field))
    return tuple(found)
