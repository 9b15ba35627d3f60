"""The section ``policies``: rules, with their CEL checked against everything the configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatops.adapters.configuration.catalog import sources
from chatops.adapters.configuration.document import Node
from chatops.adapters.configuration.fields import Fields, suggestion
from chatops.kernel.catalog import BreakGlass, Lifting, PolicyRule, Requirement
from chatops.kernel.cel import Vocabulary, check

SOURCES = ("group:NAME", "team-leads", "user:NAME")
DAY = 86400.0


def policies(root: Fields, known: Mapping[str, Any], vocabulary: Vocabulary) -> dict[str, tuple[PolicyRule, Node]]:
    """Every rule by name, with its place; ``known``: the names of each kind of source."""
    found: dict[str, tuple[PolicyRule, Node]] = {}
    for place, node in enumerate(root.items("policies", "rules"), 1):
        nameless = Fields(node, f"policy {place}", root.problems)
        name = nameless.text("name", required=True, like="what people read on the card")
        fields = Fields(node, f"policy {name!r}", root.problems) if name else nameless
        if name in found:
            fields.wrong(fields.line("name"), f"stands here twice, first in line {found[name][1].line}: rename one")
        rule = _rule(fields, name, known, vocabulary)
        if rule is not None and name:
            found.setdefault(name, (rule, node))
    return found


def _rule(fields: Fields, name: str, known: Mapping[str, Any], vocabulary: Vocabulary) -> PolicyRule | None:
    fields.only("name", "when", "require", "deny", "break_glass", "review")
    when = _when(fields, vocabulary)
    require = _require(fields, known)
    deny = fields.text("deny")
    if deny and fields.has("require"):
        fields.wrong(fields.line("require"), "both denies and requires: keep one (a denial is lifted by break_glass)")
    glass = break_glass(fields, known)
    if glass is not None and not deny:
        fields.wrong(fields.line("break_glass"), "has break_glass but denies nothing: give it deny, or remove it")
    review = sources(fields, "review", known, SOURCES) if fields.has("review") else ()
    if review and deny and glass is None:
        fields.wrong(fields.line("review"), "denies, so there is nothing to review: remove review, or add break_glass")
    if not when:
        return None
    where = f"{fields.problems.file}:{fields.node.line}"
    return PolicyRule(name=name, when=when, require=require, deny=deny, break_glass=glass, review=review, where=where)


def _when(fields: Fields, vocabulary: Vocabulary) -> str:
    node = fields.get("when")
    if node is None:
        if "when" not in fields.names():
            fields.wrong(fields.line("when"), 'needs when: a CEL expression; "true" matches everything')
        return ""
    expression = fields.as_text(node, "when")
    mistakes = check(expression, vocabulary) if expression else ()
    for mistake in mistakes:
        line = node.text_line + expression[: mistake.offset].count("\n") * (node.text_line > node.line)
        fields.wrong(line, f"when: {mistake}")
    return "" if mistakes else expression


def _require(fields: Fields, known: Mapping[str, Any]) -> tuple[Requirement, ...]:
    found = []
    written = list(fields.items("require", "{approvals: 1, from: [group:NAME]}", one_is_enough=True))
    if fields.has("require") and not written:
        fields.wrong(fields.line("require"), "requires an empty list: say from whom, or remove require")
    for node in written:
        inner = Fields(node, f"{fields.where} require", fields.problems)
        inner.only("approvals", "from", "expires")
        approvals = inner.number("approvals", 1, least=1, most=20)
        given = sources(inner, "from", known, SOURCES)
        if "from" not in inner.names() or (isinstance(node.value, dict) and node.value["from"].value == []):
            inner.wrong(inner.line("from"), 'says nobody: give it from: ["group:NAME", "team-leads"]')
        expires = inner.duration("expires", DAY)
        if given:
            found.append(Requirement(approvals=approvals, sources=given, expires=expires))
    return tuple(found)


def lifting(root: Fields, key: str, known: Mapping[str, Any]) -> Lifting:
    """``locks`` and ``promotion``: who may do it all the same."""
    node = root.get(key)
    if node is None:
        return Lifting()
    fields = Fields(node, key, root.problems)
    fields.only("break_glass")
    return Lifting(break_glass=break_glass(fields, known))


def break_glass(fields: Fields, known: Mapping[str, Any]) -> BreakGlass | None:
    """``break_glass:``: the group that may lift a denial, which has to be there."""
    node = fields.get("break_glass")
    if node is None:
        return None
    inner = Fields(node, f"{fields.where} break_glass", fields.problems)
    inner.only("group")
    name = inner.text("group", required=True, like="the group that may break the glass")
    bare = name.removeprefix("group:")
    if name != bare:
        inner.wrong(inner.line("group"), f"has group {name!r}: write {bare}")
        return None
    if name and name not in known["group"]:
        inner.wrong(
            inner.line("group"), f"names the group {name}, which there is not{suggestion(name, known['group'])}"
        )
        return None
    return BreakGlass(group=name) if name else None
