"""Asking a cluster as the person whom a request is for, and saying its no in words.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from __future__ import annotations

import re

from chatops.kernel.errors import Forbidden, Unavailable
from chatops.kernel.people import Identity

# Nobody who can edit platform.yml may reach what the cluster gives to a group of its own by the same name.
PREFIX = "chatops:"
# Printable ASCII without blanks: nothing that could end a header, and no ":" before the @, as in system:admin.
_USER = re.compile(r"[!-9;-?A-~]{1,250}@[!-9;-?A-~]{1,250}")
_GROUP = re.compile(r"[a-z0-9._-]{1,63}")
# Said by RBAC, by webhooks in the API server's place, and by the check of impersonation itself.
_DENIED = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>[\w*]+) resource "(?P<what>[^"]*)" in API group "[^"]*"'
    r'(?: in the namespace "(?P<namespace>[^"]*)"| at the cluster scope)?'
)
_RIGHTS = "Who administers the cluster gives rights there (RBAC); the platform team knows them."


def headers(identity: Identity, cluster: str) -> list[tuple[str, str]]:
    """The headers that make a call this identity's.

    Raises ``Forbidden`` for one that cannot be named to a cluster, ``Unavailable`` while Slack cannot tell its groups:
    a run must not fail because somebody's rights seem to be gone.
    """
    if not identity.known:
        who = identity.name or "the person who asked"
        raise Unavailable(f"Slack can't tell just now who {who} is, and {cluster} is asked as that person")
    if not _USER.fullmatch(identity.user):
        who = identity.name or "this person"
        why = "has an e-mail address that can't be passed on" if identity.user else "has no e-mail address in Slack"
        hint = "An address in the Slack profile helps, or an environment without `impersonate`."
        said = f"{cluster} is asked as the person who asks, and {who} {why}"
        raise Forbidden(said, status=403, hint=hint)
    named = [one for one in identity.groups if _GROUP.fullmatch(one)]
    return [("Impersonate-User", identity.user), *(("Impersonate-Group", f"{PREFIX}{one}") for one in named)]


def in_words(identity: Identity, words: str, status: int, causes: tuple[str, ...]) -> Forbidden | None:
    """RBAC's no to a call for this identity as a sentence; None when the words say something else (a quota, say)."""
    found = _DENIED.search(words)
    if found is None:
        return None
    if found["verb"] == "impersonate":
        said = f"Kubernetes does not let the assistant ({found['user']}) act for {identity.user}"
        said += f" as a member of {named[1]}" if (named := re.match(r'groups(?:\.\S+)? "([^"]+)"', words)) else ""
        hint = "It needs the verb `impersonate` on users and groups: docs/operations.md says how the role looks."
        return Forbidden(said, status=status, causes=causes, hint=hint)
    where = f" in {found['namespace']}" if found["namespace"] else ""
    said = f"Kubernetes does not let {found['user']} {found['verb']} {found['what']}{where}"
    return Forbidden(said, status=status, causes=causes, hint=_RIGHTS)
