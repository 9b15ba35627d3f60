"""The HTTP side: from a URL to a verb on a resource, and back to JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from dataclasses import dataclass, replace
from typing import Any

import yaml
from aiohttp import web

from . import errors, validate
from .access import Access, User, Wish
from .api import Api, Ask
from .errors import ApiError, bad_request
from .faults import Fault, Faults, RequestLog
from .lists import answer_list
from .logs import answer_log
from .resources import REVIEWS, Registry, Resource
from .reviews import answer_review
from .rules import APPLY
from .subresources import answer_scale, evict, finalize_namespace, to_events_v1
from .values import Obj, dump
from .watches import Watches

log = logging.getLogger(__name__)
VERSION = {
    "major": "1", "minor": "34", "gitVersion": "v1.34.0", "gitCommit": "practice", "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z", "goVersion": "none", "compiler": "none", "platform": "practice",
}  # fmt: skip
_METHODS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_HEALTH = ("/healthz", "/livez", "/readyz")


@dataclass(frozen=True)
class Target:
    """What a URL names; `resource` is None for discovery and health."""

    path: str
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    sub: str = ""


def parse(path: str) -> Target:
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target("/" + "/".join(parts))
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    elif rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
    plural, name, sub = [*rest, "", ""][:3]
    return Target(path, group, version, plural, namespace, name, sub)


class Front:
    """Answers every request: authenticate, meet faults, authorize, act, write it down."""

    def __init__(self, api: Api, access: Access, faults: Faults, log: RequestLog, watches: Watches) -> None:
        self.api = api
        self.access = access
        self.faults = faults
        self.log = log
        self.watches = watches

    @property
    def registry(self) -> Registry:
        return self.api.registry

    async def handle(self, request: web.Request) -> web.StreamResponse:
        target = parse(request.path)
        if self.faults.away and not target.path.startswith("/sandbox"):
            return cut(request)
        verb = _verb(request, target)
        entry: Obj = {"verb": verb, "path": request.path, "query": dict(request.query), "status": 0}
        try:
            response = await self._answer(request, target, verb, entry)
            entry["status"] = getattr(response, "status", 0)
        except ApiError as error:
            entry["status"] = error.code
            response = as_json(error.body(), error.code, error.headers)
        except ValueError as error:
            entry["status"] = 400
            response = as_json(bad_request(str(error)).body(), 400)
        except (ConnectionError, asyncio.CancelledError, web.HTTPException):
            entry["status"] = 499
            raise
        except Exception:
            log.exception("the practice cluster failed on %s %s", request.method, request.path)
            entry["status"] = 500
            response = as_json(errors.internal("Internal error occurred: see the practice cluster's log").body(), 500)
        finally:
            self.log.add(**entry)
        return response

    async def _answer(self, request: web.Request, target: Target, verb: str, entry: Obj) -> web.StreamResponse:
        user = self.access.authenticate(request.headers)
        user = self.access.impersonate(
            user, request.headers.get("Impersonate-User", ""), request.headers.getall("Impersonate-Group", [])
        )
        entry["user"] = user.name
        if not target.plural:
            self.access.check(user, Wish("get", path=target.path))
            return self._discovery(target)
        wish = _wish(verb, target)
        dry = "All" in request.query.getall("dryRun", [])
        manager = request.query.get("fieldManager") or request.headers.get("User-Agent", "unknown").split("/")[0]
        entry.update(resource=wish.full_resource, name=target.name, namespace=target.namespace, dryRun=dry)
        if verb in ("create", "update", "patch"):
            entry["fieldManager"] = manager
        fault = self.faults.meet(wish, dry)
        if fault and isinstance(fault.answer, int):
            raise fault.error(wish)
        if fault and fault.answer in ("hang", "drop"):
            if fault.answer == "hang":
                await fault.cleared.wait()
            entry["fault"] = fault.answer
            return cut(request)
        self.access.check(user, wish)
        response = await self._resource(request, target, verb, user, manager, dry)
        if fault:
            entry["fault"] = fault.answer
            return await cut_midway(request, response) if fault.answer == "drop-midway" else cut(request)
        return response

    def _discovery(self, target: Target) -> web.Response:
        parts = target.path.strip("/").split("/")
        if target.path in _HEALTH:
            return web.Response(text="ok")
        if target.path == "/version":
            return as_json(VERSION)
        if parts == ["api"]:
            addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]
            body = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
            return as_json(body)
        if parts == ["apis"]:
            return as_json(self.registry.api_groups())
        if parts[0] == "api" and len(parts) == 2:
            return as_json(self.registry.api_resources("", parts[1]))
        if parts[0] == "apis" and len(parts) == 2:
            return as_json(self.registry.api_group(parts[1]))
        if parts[0] == "apis" and len(parts) == 3:
            return as_json(self.registry.api_resources(parts[1], parts[2]))
        return web.Response(status=404, text="404 page not found\n")

    async def _resource(
        self, request: web.Request, target: Target, verb: str, user: User, manager: str, dry: bool
    ) -> web.StreamResponse:
        if (target.group, target.plural) in REVIEWS:
            kind = REVIEWS[(target.group, target.plural)]
            return as_json(answer_review(self.access, user, kind, target, await _body(request)), 201)
        resource = self.registry.find(target.group, target.version, target.plural)
        if target.sub and target.sub not in resource.subresources:
            raise errors.no_such_resource()
        if verb == "watch":
            return await self.watches.answer(request, resource, target.namespace)
        if verb == "list":
            return as_json(_asked_for(request, answer_list(self.api.store, resource, target.namespace, request.query)))
        namespace = target.namespace if resource.namespaced else ""
        if verb == "get" and target.sub == "log":
            return await answer_log(self.api, request, namespace, target.name)
        ask = self._ask(request, verb, manager, dry)
        ask = replace(ask, may_create=lambda: self.access.check(user, _wish("create", target)))
        return await self._write(request, target, resource, namespace, verb, ask)

    def _ask(self, request: web.Request, verb: str, manager: str, dry: bool) -> Ask:
        kind = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}.get(
            verb, "DeleteOptions"
        )
        validate.dry_run(request.query.getall("dryRun", []), kind)
        mode = request.query.get("fieldValidation") or "Warn"
        if mode not in ("Strict", "Warn", "Ignore"):
            cause = errors.not_supported("fieldValidation", mode, ["", "Ignore", "Strict", "Warn"])
            raise errors.invalid(kind, "meta.k8s.io", "", [cause])
        force = request.query.get("force")
        if verb == "patch":
            applying = _media(request) == APPLY
            asked = request.query.get("fieldManager", "")
            validate.field_manager(asked, applying=applying, force=None if force is None else force == "true")
        return Ask(manager, dry, mode, force == "true" if force is not None else None)

    async def _write(
        self, request: web.Request, target: Target, resource: Resource, namespace: str, verb: str, ask: Ask
    ) -> web.StreamResponse:
        name, sub = target.name, target.sub
        if sub == "scale" and verb in ("get", "update", "patch"):
            raw = await request.read() if verb != "get" else b""
            return as_json(answer_scale(self.api, resource, namespace, name, verb, _media(request), raw, ask))
        if verb == "get":
            return as_json(_asked_for(request, _shown(resource, self.api.get(resource, namespace, name))))
        if sub == "eviction":
            return as_json(evict(self.api, namespace, name, await _body(request), ask), 201)
        if verb in ("delete", "deletecollection"):
            return self._delete(resource, target, namespace, verb, request, await _body(request, optional=True), ask)
        if verb == "patch":
            raw = await request.read()
            obj, created = self.api.patch(resource, namespace, name, _media(request), raw, ask, sub)
            return as_json(_shown(resource, obj), 201 if created else 200, warnings=ask.warnings)
        body = await _body(request)
        if sub == "finalize":
            return as_json(finalize_namespace(self.api, name, body))
        if verb == "update":
            obj = self.api.update(resource, namespace, name, body, ask, sub)
            return as_json(_shown(resource, obj), warnings=ask.warnings)
        if name:
            raise errors.not_allowed()
        if resource.namespaced and not namespace:
            raise bad_request("an empty namespace may not be set during creation")
        obj = self.api.create(resource, namespace, body, ask)
        return as_json(_shown(resource, obj), 201, warnings=ask.warnings)

    def _delete(
        self, resource: Resource, target: Target, namespace: str, verb: str, request: web.Request, body: Obj, ask: Ask
    ) -> web.Response:
        options = dict(body)
        for key in ("propagationPolicy", "orphanDependents"):
            if key in request.query:
                options.setdefault(key, request.query[key])
        if "gracePeriodSeconds" in request.query:
            options.setdefault("gracePeriodSeconds", int(request.query["gracePeriodSeconds"]))
        dry = validate.dry_run(list(options.get("dryRun") or []), "DeleteOptions")
        ask.dry_run = ask.dry_run or dry
        if verb == "deletecollection":
            found = answer_list(self.api.store, resource, target.namespace, request.query)
            for item in found["items"]:
                self.api.delete(resource, item["metadata"].get("namespace", ""), item["metadata"]["name"], options, ask)
            return as_json(found)
        obj, gone = self.api.delete(resource, namespace, target.name, options, ask)
        if not gone or resource.key == ("", "pods"):
            return as_json(_shown(resource, obj))
        details: Obj = {"name": target.name, "kind": resource.plural, "uid": obj["metadata"]["uid"]}
        if resource.group:
            details["group"] = resource.group
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return as_json(body)


_METADATA_ONLY = re.compile(r"application/json\s*;\s*as=PartialObjectMetadata(List)?\s*;\s*g=meta\.k8s\.io\s*;\s*v=v1")


def _asked_for(request: web.Request, found: Obj) -> Obj:
    """Only the metadata where that was asked for.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-metadata
    """
    if not _METADATA_ONLY.search(request.headers.get("Accept", "")):
        return found
    if "items" not in found:
        return _metadata_of(found)
    items = [_metadata_of(item) for item in found["items"]]
    return {**found, "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "items": items}


def _metadata_of(found: Obj) -> Obj:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": found["metadata"]}


def _wish(verb: str, target: Target) -> Wish:
    """What a request does, in RBAC's terms; a namespace belongs to itself."""
    if target.plural == "namespaces" and not target.group and not target.namespace:
        return Wish(verb, "", "namespaces", target.sub, target.name, target.name)
    return Wish(verb, target.group, target.plural, target.sub, target.namespace, target.name)


def _verb(request: web.Request, target: Target) -> str:
    verb = _METHODS.get(request.method, request.method.lower())
    if target.plural and not target.name:
        if verb == "get":
            return "watch" if request.query.get("watch", "") in ("true", "1", "True") else "list"
        if verb == "delete":
            return "deletecollection"
    return verb


def _media(request: web.Request) -> str:
    return request.headers.get("Content-Type", "").split(";")[0].strip()


async def _body(request: web.Request, *, optional: bool = False) -> Obj:
    raw = await request.read()
    if optional and not raw.strip():
        return {}
    media = _media(request)
    try:
        if media in ("application/yaml", "application/x-yaml"):
            found: Any = yaml.safe_load(raw)
        elif media in ("application/json", "", "*/*", "application/octet-stream"):
            found = json.loads(raw)
        else:
            raise errors.unsupported_media(["application/json", "application/yaml"])
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(found, dict):
        if optional and found is None:
            return {}
        raise bad_request("couldn't get version/kind; json parse error: the body is no object")
    return found


def _shown(resource: Resource, obj: Obj) -> Obj:
    return to_events_v1(obj) if resource.group == "events.k8s.io" else obj


def as_json(
    body: Any, status: int = 200, headers: dict[str, str] | None = None, warnings: list[str] | None = None
) -> web.Response:
    response = web.Response(text=dump(body), status=status, content_type="application/json", headers=headers)
    for text in warnings or []:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    return response


def cut(request: web.Request) -> web.StreamResponse:
    """Drop the connection without an answer, as a dying server or network does."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


async def cut_midway(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Send half of the answer's body, then end the connection; an answer that was streamed is cut where it stands."""
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes | bytearray):
        return cut(request)
    half = web.StreamResponse(status=response.status, headers={"Content-Type": response.headers["Content-Type"]})
    half.enable_chunked_encoding()  # as the API server sends logs: without the last chunk the body is not whole
    await half.prepare(request)
    await half.write(bytes(body[: len(body) // 2]))
    if request.transport is not None:
        request.transport.close()
    return half


__all__ = ["Fault", "Front", "Target", "as_json", "cut", "cut_midway", "parse"]
