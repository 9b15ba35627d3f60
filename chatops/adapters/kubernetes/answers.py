"""Turns what a cluster answers, or fails to answer, into errors that people can act on."""

from __future__ import annotations

import json
import re
from typing import Any

from chatops.adapters.kubernetes.impersonation import in_words
from chatops.kernel.errors import ClusterError, Conflict, Forbidden, Invalid, NotFound, PlatformError, Unavailable
from chatops.kernel.people import Identity

# An API message may quote a whole object; a card has no room for it.
LONGEST_MESSAGE = 400
# Server-side apply answers 500 for a field that the type does not have, for a quantity, number or base64 text that
# cannot be read, and for an object that its definition, changed since, does not describe; no later try will take it.
_UNREADABLE = re.compile(r"failed to (create typed (patch|live) object|convert new object)(?!.*\bwebhook\b)")

# What an API server adds about a custom resource's CEL rules as long as its fields are wrong already.
_UNCHECKED = re.compile(r"(, )?<nil>: Invalid value: null: some validation rules were not checked[^,\]]*")


def as_error(
    cluster: str, status: int, body: bytes, reason: str = "", retry_after: str = "", acting: Identity | None = None
) -> PlatformError:
    """The error for an HTTP answer that is not 2xx, to a call for ``acting`` (None: our own).

    ``body`` is a ``metav1.Status`` or, from a proxy in between, anything. Rules:
    https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
    """
    said = status_of(body)
    words = _short(_UNCHECKED.sub("", str(said.get("message") or reason or f"HTTP {status}")))
    causes = causes_of(said)
    if status == 403 and acting is not None and (refusal := in_words(acting, words, status, causes)) is not None:
        return refusal
    if status in (401, 403):
        who = "does not accept our credentials" if status == 401 else "forbids this"
        hint = "Ask the platform team to renew them." if status == 401 else "Ask the platform team for the permission."
        return Forbidden(f"{cluster} {who}: {words}", status=status, causes=causes, hint=hint)
    if status == 404:
        return NotFound(f"{cluster} does not have it: {words}", status=status, causes=causes)
    if status == 409:
        return Conflict(f"somebody else changed it in between: {words}", status=status, causes=causes)
    if status in (400, 422) or (status == 500 and _UNREADABLE.search(words)):
        return Invalid(f"{cluster} refuses the object: {words}", status=status, causes=causes)
    if status == 429 or status >= 500:
        trouble = "asks us to slow down" if status == 429 else f"has trouble ({status})"
        return Unavailable(f"{cluster} {trouble}: {words}", retry_after=seconds(retry_after, said))
    return ClusterError(f"{cluster} answered {status}: {words}", status=status, causes=causes)


def status_of(body: bytes) -> dict[str, Any]:
    """The ``Status`` in an answer, or ``{}``: proxies answer with HTML, the API server with text for unknown paths."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def causes_of(status: dict[str, Any]) -> tuple[str, ...]:
    """Each cause as ``field: message``."""
    causes = [one for one in (status.get("details") or {}).get("causes") or [] if one.get("field") != "<nil>"]
    return tuple(_short(": ".join(filter(None, (one.get("field"), one.get("message"))))) for one in causes)


def seconds(retry_after: str, status: dict[str, Any]) -> float:
    """How long the cluster asks us to wait: the header's seconds, else the Status's; 0.0 when it does not say."""
    told = retry_after or str((status.get("details") or {}).get("retryAfterSeconds") or "")
    try:
        return max(0.0, float(told))
    except ValueError:  # an HTTP date: Kubernetes sends none
        return 0.0


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"
