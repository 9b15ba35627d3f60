"""Lists: selectors, and pages by `limit` and `continue`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from . import selectors
from .errors import bad_request, expired
from .resources import Resource
from .store import Store
from .subresources import to_events_v1
from .values import Obj


def chooser(resource: Resource, query: Mapping[str, str]) -> selectors.Test:
    """The test of a request's labelSelector and fieldSelector."""
    by_label = selectors.labels(query.get("labelSelector", ""))
    by_field = selectors.fields(query.get("fieldSelector", ""), resource.plural)
    return lambda obj: by_label(obj) and by_field(obj)


def answer_list(store: Store, resource: Resource, namespace: str, query: Mapping[str, str]) -> Obj:
    """A list object; a page that was begun before the history was compacted answers 410, as after a compaction."""
    wanted = chooser(resource, query)
    items = [obj for obj in store.objects(resource.key, namespace or None) if wanted(obj)]
    metadata: Obj = {"resourceVersion": str(store.version)}
    limit = int(query.get("limit") or 0)
    if token := query.get("continue"):
        version, last = _read_token(token)
        store_floor(store, resource, version)
        items = [obj for obj in items if _place(obj) > last]
        metadata["resourceVersion"] = str(version)
    if limit and len(items) > limit:
        rest = len(items) - limit
        items = items[:limit]
        place = _place(items[-1])
        text = json.dumps([int(metadata["resourceVersion"]), *place])
        metadata["continue"] = base64.urlsafe_b64encode(text.encode()).decode()
        if not query.get("labelSelector") and not query.get("fieldSelector"):
            metadata["remainingItemCount"] = rest
    if resource.group == "events.k8s.io":
        items = [to_events_v1(obj) for obj in items]
    return {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata, "items": items}


def store_floor(store: Store, resource: Resource, version: int) -> None:
    if not store.remembers(version, resource.key):
        raise expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
            "the results. Continuing with the provided token results in an inconsistent list - objects that were "
            "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
            "list."
        )


def _place(obj: Obj) -> tuple[str, str]:
    return (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError) as error:
        raise bad_request("continue key is not valid: illegal base64 data") from error
    return int(version), (namespace, name)
