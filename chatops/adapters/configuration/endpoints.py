"""``alertmanager:`` and ``prometheus:``: where they are called, and where the login for it stands.

What a mistake says never repeats a value: somebody may have written a secret where a name belongs.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from chatops.adapters.configuration.fields import URL, Fields
from chatops.kernel.aftermath import PLACES, unknown
from chatops.kernel.catalog import Endpoint, Measure, Reference

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MOST_MEASURES = 3  # panels that a person tells apart on a phone
_WHERE = "{env: NAME} or {file: /PATH}"


def endpoint(root: Fields, name: str, port: int) -> Endpoint | None:
    """One of the two sections; None when it is not there."""
    node = root.get(name)
    if node is None:
        return None
    fields = Fields(node, name, root.problems)
    own = ("after_deploys",) if name == "prometheus" else ()
    fields.only("url", "token", "user", "password", "ca", *own)
    if own and fields.names() == own:
        return None  # what is asked is said here, and where by whoever starts us
    url = fields.text("url", pattern=URL, like=f"an address like http://{name}:{port}", required=True)
    if url and holds_login(url):
        fields.wrong(fields.line("url"), "has a login in its url: give user and password keys of their own")
    token, password = reference(fields, "token"), reference(fields, "password")
    user = fields.text("user")
    if fields.has("token") and (fields.has("user") or fields.has("password")):
        fields.wrong(fields.line("token"), "has a token beside user and password: it takes one of both")
    elif fields.has("user") != fields.has("password"):
        given = "user" if fields.has("user") else "password"
        fields.wrong(fields.line(given), f"has {given} alone: a login is user and password")
    if ":" in user or not user.isprintable():
        fields.wrong(fields.line("user"), "has a user with a colon in it, which basic authentication can't send")
    return Endpoint(name=name, url=url, token=token, user=user, password=password, ca=_ca(fields, url))


def measures(root: Fields) -> tuple[Measure, ...]:
    """``prometheus: {after_deploys: …}``: what is drawn of the minutes before and after a deploy."""
    node = root.get("prometheus")
    if node is None or not isinstance(node.value, dict):
        return ()
    fields, found = Fields(node, "prometheus", root.problems), []
    for name, value, line in fields.entries("after_deploys", "PromQL"):
        if value.value is None:
            fields.wrong(line, f"has no query for {name!r} in after_deploys")
            continue
        expression = fields.as_text(value, name, like="PromQL")
        if wrong := unknown(expression):
            fields.wrong(value.line, f"has ${{{wrong}}} in {name!r}: it is one of {', '.join(PLACES)}")
        elif expression:
            found.append(Measure(name=name, expression=expression))
    if len(found) > MOST_MEASURES:
        fields.wrong(fields.line("after_deploys"), f"has {len(found)} queries in after_deploys: {MOST_MEASURES} fit")
    return tuple(found[:MOST_MEASURES])


def _ca(fields: Fields, url: str) -> str:
    path = fields.text("ca")
    if path and not path.startswith("/"):
        fields.wrong(fields.line("ca"), "has a ca that is no whole path: give it like /etc/ssl/acme-ca.pem")
    elif path and not url.startswith("https://"):
        fields.wrong(fields.line("ca"), "has a ca, but its url does not begin with https://")
    return path


def reference(fields: Fields, key: str) -> Reference | None:
    """Where a secret stands; None when it is not given."""
    node = fields.given(key)
    if node is None:
        return None
    if not isinstance(node.value, dict):
        fields.wrong(node.line, f"has its {key} written out: say where it stands, {_WHERE}")
        return None
    inner = Fields(node, f"{fields.where} {key}", fields.problems)
    inner.only("env", "file")
    env, file = inner.text("env"), inner.text("file")
    if inner.has("env") == inner.has("file"):
        inner.wrong(node.line, f"needs one place where it stands: {_WHERE}")
    elif env and not _VARIABLE.fullmatch(env):
        inner.wrong(inner.line("env"), "has an env that is no name of an environment variable, like MONITOR_TOKEN")
    elif file and not file.startswith("/"):
        inner.wrong(inner.line("file"), "has a file that is no whole path, like /run/secrets/monitor-token")
    return Reference(env=env, file=file)


def holds_login(url: str) -> bool:
    """Whether an address carries a user or a password."""
    try:
        return "@" in urlsplit(url).netloc
    except ValueError:
        return False
