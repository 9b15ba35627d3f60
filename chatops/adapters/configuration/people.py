"""``people:``: what people are called elsewhere."""

from __future__ import annotations

import re

from chatops.adapters.configuration.fields import Fields, is_person
from chatops.kernel.catalog import Elsewhere

_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}")


def people(root: Fields) -> dict[str, Elsewhere]:
    """Each person by e-mail or Slack user id; a login belongs to one of them."""
    found: dict[str, Elsewhere] = {}
    holders: dict[str, str] = {}
    for name, node, line in root.entries("people", "people"):
        fields = Fields(node, f"person {name}", root.problems, line)
        if not is_person(name):
            root.problems.add(
                line, f"people has {name!r}: people are named by e-mail (dana@acme.test) or Slack id (U…)"
            )
        fields.only("github")
        login = fields.text("github", pattern=_LOGIN, like="a login on GitHub, without @", required=True)
        if login and (other := holders.setdefault(login.casefold(), name)) != name:
            fields.wrong(fields.line("github"), f"has the login {login} on GitHub, as {other} has: keep one")
        found[name] = Elsewhere(github=login)
    return found
