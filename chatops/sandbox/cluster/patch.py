"""JSON patch (RFC 6902), JSON merge patch (RFC 7386) and Kubernetes' strategic merge patch."""

from __future__ import annotations

from typing import Any

from chatops.sandbox.copies import copied

from .errors import ApiError, bad_request
from .schema import ANY, Node
from .values import Obj


def json_patch(obj: Obj, operations: Any) -> Obj:
    """The object after all operations; raises ApiError 400 on a malformed list, 422 when a `test` or path fails."""
    if not isinstance(operations, list) or not all(isinstance(item, dict) for item in operations):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    result: Any = copied(obj)
    for operation in operations:
        result = _one(result, operation)
    return result  # type: ignore[no-any-return]


def _one(doc: Any, operation: Obj) -> Any:
    kind, path = operation.get("op"), operation.get("path")
    if not isinstance(path, str) or kind not in ("add", "remove", "replace", "move", "copy", "test"):
        raise bad_request(f"Unexpected kind: {kind}")
    if kind == "test":
        if _get(doc, path, missing_ok=True) != operation.get("value"):
            raise _failed(f"testing value {path} failed: test failed")
        return doc
    if kind == "remove":
        return _remove(doc, path)
    if kind in ("move", "copy"):
        source = operation.get("from", "")
        value = copied(_get(doc, source))
        doc = _remove(doc, source) if kind == "move" else doc
        return _put(doc, path, value, replace=False)
    if "value" not in operation:
        raise bad_request(f"{kind} operation needs a value")
    return _put(doc, path, copied(operation["value"]), replace=kind == "replace")


def _failed(text: str) -> ApiError:
    return ApiError(422, "Invalid", f"the server rejected our request due to an error in our request: {text}", {})


def _tokens(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise _failed(f"invalid JSON pointer {path}")
    return [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]


def _get(doc: Any, path: str, *, missing_ok: bool = False) -> Any:
    for token in _tokens(path):
        if isinstance(doc, dict) and token in doc:
            doc = doc[token]
        elif isinstance(doc, list) and token.isdigit() and int(token) < len(doc):
            doc = doc[int(token)]
        elif missing_ok:
            return None
        else:
            raise _failed(f"missing path: {path}: missing value")
    return doc


def _parent(doc: Any, path: str) -> tuple[Any, str]:
    tokens = _tokens(path)
    for token in tokens[:-1]:
        doc = _get(doc, "/" + token.replace("~", "~0").replace("/", "~1"))
    return doc, tokens[-1]


def _remove(doc: Any, path: str) -> Any:
    parent, last = _parent(doc, path)
    _get(parent, "/" + last.replace("~", "~0").replace("/", "~1"))
    if isinstance(parent, list):
        del parent[int(last)]
    else:
        del parent[last]
    return doc


def _put(doc: Any, path: str, value: Any, *, replace: bool) -> Any:
    if path == "":
        return value
    parent, last = _parent(doc, path)
    if replace:
        _get(parent, "/" + last.replace("~", "~0").replace("/", "~1"))
    if isinstance(parent, list):
        if last == "-":
            parent.append(value)
        elif not last.isdigit() or int(last) > len(parent):
            raise _failed(f"doc is missing index {path}")
        elif replace:
            parent[int(last)] = value
        else:
            parent.insert(int(last), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise _failed(f"doc is missing path: {path}")
    return doc


def merge_patch(live: Any, patch: Any) -> Any:
    """RFC 7386: null removes, maps merge, everything else replaces."""
    if not isinstance(patch, dict):
        return copied(patch)
    result = dict(live) if isinstance(live, dict) else {}
    for key, item in patch.items():
        if item is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), item)
    return result


def strategic_merge(node: Node, live: Any, patch: Any, at: str = "") -> Any:
    """Kubernetes documentation, "Update API Objects in Place Using kubectl patch": lists merge by their merge key.

    Directives: `$patch: delete|replace|merge`, `$retainKeys`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…`.
    Raises ApiError 400 for a list item without its merge key.
    """
    if not isinstance(patch, dict):
        return copied(patch)
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: copied(item) for key, item in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unknown patch type: {directive}")
    result: Obj = dict(live) if isinstance(live, dict) else {}
    if (retained := patch.get("$retainKeys")) is not None:
        result = {key: item for key, item in result.items() if key in retained}
    for key, item in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.split("/", 1)[1]
            result[field] = [entry for entry in result.get(field, []) if entry not in item]
        if key.startswith("$"):
            continue
        child = (node.fields.get(key, ANY) if node.shape == "struct" else node.element) or ANY
        where = f"{at}.{key}" if at else key
        if item is None:
            result.pop(key, None)
        elif isinstance(item, list):
            result[key] = _merge_list(child, result.get(key), item, where)
            result[key] = _ordered(child, result[key], patch.get(f"$setElementOrder/{key}"))
        elif isinstance(item, dict):
            result[key] = strategic_merge(child, result.get(key), item, where)
        else:
            result[key] = item
    return result


def _merge_list(node: Node, live: Any, patch: list[Any], at: str) -> list[Any]:
    live = live if isinstance(live, list) else []
    directives = [item for item in patch if isinstance(item, dict) and set(item) == {"$patch"}]
    if node.merge == "" or any(item["$patch"] == "replace" for item in directives):
        return [_clean(item) for item in patch if item not in directives]
    if node.merge == "*":
        return [*live, *(item for item in patch if item not in live)]
    result = [copied(item) for item in live]
    inner = node.element or ANY
    fresh: list[Any] = []
    for item in patch:
        if item in directives:
            continue
        if not isinstance(item, dict) or node.merge not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {node.merge}")
        same = [i for i, old in enumerate(result) if old.get(node.merge) == item[node.merge]]
        if item.get("$patch") == "delete":
            result = [old for i, old in enumerate(result) if i not in same]
        elif same:
            result[same[0]] = strategic_merge(inner, result[same[0]], item, at)
        else:
            fresh.append(_clean(item))
    return [*fresh, *result] if fresh and not live else [*result, *fresh]


def _ordered(node: Node, items: list[Any], order: Any) -> list[Any]:
    if not isinstance(order, list) or node.merge in ("", "*"):
        return items
    rank = {entry.get(node.merge): i for i, entry in enumerate(order) if isinstance(entry, dict)}
    return sorted(items, key=lambda item: rank.get(item.get(node.merge), len(rank)))


def _clean(value: Any) -> Any:
    """The value without directives, for parts that are new."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items() if not key.startswith("$") and item is not None}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
