"""What an apply would really do: the object as it is, and the server's own answer to a dry run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatops.kernel.action import Context
from chatops.kernel.diff import changes
from chatops.kernel.errors import Conflict, NotFound, Refused, Unavailable
from chatops.kernel.labels import EXPIRES_AT, REQUEST, REQUESTER, TEAM
from chatops.kernel.ownership import drift, foreign_owner
from chatops.kernel.plan import Change, ObjectRef, Write
from chatops.kernel.ports import ClusterReader
from commands.declared.guard import is_secret, named
from commands.declared.templates import unescaped

Object = dict[str, Any]
TRIES = 5
OURS = (REQUEST, REQUESTER, TEAM)
_BOOKKEEPING = (f"metadata.labels[{REQUEST}]", f"metadata.annotations[{EXPIRES_AT}]")  # not what anybody asked for


@dataclass(frozen=True, slots=True)
class Look:
    """One object of an apply: what is written, whether it is new, what differs, and what people should know."""

    write: Write
    created: bool
    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Looker:
    """Looks at the objects of one plan; ``making`` are those that the plan makes and that are not there yet."""

    ctx: Context
    cluster: ClusterReader
    where: str  # the environment's name
    making: set[str] = field(default_factory=set)  # as ``key`` says

    async def resolve(self, kind: str, group: str, step: str) -> tuple[str, bool]:
        """The apiVersion and whether it is namespaced; ``Deployment`` and ``Job`` need no group."""
        for each in (group,) if group else ("", "apps", "batch"):
            try:
                return await self.cluster.resolve(kind, each)
            except NotFound:
                continue
        name = f"{kind}.{group}" if group else kind
        hint = "Is what serves it installed there? `kubectl api-resources` lists what there is."
        raise Refused(f"{step}: the cluster of {self.where} has no {name[:120]}.", hint=hint)

    async def live(self, ref: ObjectRef) -> Object | None:
        """The object now; of a Secret nothing but its metadata, for its values stay where they are."""
        return await (self.cluster.metadata(ref) if is_secret(ref) else self.cluster.get(ref))

    async def owned(self, ref: ObjectRef, step: str) -> Object | None:
        """The object now; raises ``Refused`` when another tool owns it and would undo what we do."""
        live = await self.live(ref)
        owner = foreign_owner(live) if live is not None else ""
        if owner:
            hint = "Change it there; a change here would be undone by it."
            raise Refused(f"{step}: {ref} in {self.where} belongs to {owner}.", rule="foreign owner", hint=hint)
        return live

    async def look(self, write: Write, step: str, *, deferred: bool) -> Look:
        """What the write would do. Raises ``Refused``, ``Unavailable`` or a ``ClusterError`` naming the step."""
        for _ in range(TRIES):
            live = await self.owned(write.ref, step)
            if live is None:
                return await self._new(write, step, deferred=deferred)
            try:
                return await self._there(write, live, deferred=deferred)
            except Conflict:
                continue
        raise Unavailable(f"{write.ref} keeps changing while we look at it.", retry_after=2.0)

    async def _new(self, write: Write, step: str, *, deferred: bool) -> Look:
        ref, body = write.ref, unescaped(write.body)
        warnings: tuple[str, ...] = ()
        if not deferred:
            try:
                body = _within(_bare(ref, await self.cluster.dry_run(write)), body)
            except NotFound:
                warnings = (await self._no_namespace(ref, step),)
        self.making.add(key(ref))
        there = Change(object=str(ref), field="metadata.name", before=None, after=ref.name)
        found = changes({}, _full(ref, body))
        return Look(write, True, (there, *(one for one in found if not _is_name(one))), warnings)

    async def _no_namespace(self, ref: ObjectRef, step: str) -> str:
        """Why the dry run found nothing to try it in; raises ``Refused`` unless the plan itself makes the namespace."""
        space = ObjectRef(api_version="v1", kind="Namespace", namespace="", name=ref.namespace)
        if key(space) in self.making:
            return f"The namespace {ref.namespace} is only made by this request: what is in it could not be tried out"
        if ref.namespace and await self.cluster.get(space) is None:
            raise Refused(f"{step}: there is no namespace {ref.namespace} in the cluster of {self.where}, for {ref}.")
        raise Refused(f"{step}: the cluster of {self.where} does not take {ref}: it has nothing of that kind.")

    async def _there(self, write: Write, live: Object, *, deferred: bool) -> Look:
        ref = write.ref
        version = str(live["metadata"]["resourceVersion"])
        write = write.model_copy(update={"body": _keeping(write.body, live), "resource_version": version})
        if deferred:
            wanted = unescaped(write.body)
            found = changes(_full(ref, _within(live, wanted)), _full(ref, wanted))
            return Look(write, False, found, (_takes_over(ref, live, write.manager),) if found else ())
        would = _full(ref, _bare(ref, await self.cluster.dry_run(write)))
        found = tuple(one for one in changes(_bare(ref, live), would) if one.field not in _BOOKKEEPING)
        if not found:
            return Look(write, False, ())
        said = (_takes_over(ref, live, write.manager), *drift(live, self.ctx.now, would))
        return Look(write, False, found, tuple(filter(None, said)))


def key(ref: ObjectRef) -> str:
    """What tells objects of a cluster apart, whichever version of their API is spoken."""
    return f"{named(ref)}/{ref.namespace}/{ref.name}"


def _takes_over(ref: ObjectRef, live: Mapping[str, Any], manager: str) -> str:
    """What a lead must know of an object that this request did not make."""
    metadata = live["metadata"]
    request = (metadata.get("labels") or {}).get(REQUEST)
    managers = {str(entry.get("manager", "")) for entry in metadata.get("managedFields") or []}
    if request:
        return f"{ref} is there already, made by {request}: this changes it"
    if manager in managers:
        return ""
    return f"{ref} was there before: this takes over the fields that it sets, and never removes it"


def _keeping(body: Mapping[str, Any], live: Mapping[str, Any]) -> Object:
    """The body with our own labels as the object has them, for an apply that leaves them out would take them away."""
    metadata = dict(body.get("metadata") or {})
    for place, names in (("labels", OURS), ("annotations", (EXPIRES_AT,))):
        kept = {name: value for name, value in (live["metadata"].get(place) or {}).items() if name in names}
        if kept:
            metadata[place] = {**(metadata.get(place) or {}), **kept}
    return {**body, "metadata": metadata}


def _bare(ref: ObjectRef, thing: Mapping[str, Any]) -> Object:
    """Of a Secret nothing but its metadata: that is all we read of it."""
    return {name: value for name, value in thing.items() if name == "metadata" or not is_secret(ref)}


def _full(ref: ObjectRef, body: Mapping[str, Any]) -> Object:
    metadata = {**(body.get("metadata") or {}), "name": ref.name}
    if ref.namespace:  # what belongs to the whole cluster has none, not even an empty one
        metadata["namespace"] = ref.namespace
    return {**body, "apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}


def _is_name(change: Change) -> bool:
    return change.field in ("metadata.name", "metadata.namespace")


def _within(thing: Any, shape: Any) -> Any:
    """What ``thing`` has in the places that ``shape`` names: of a new object, what was asked for, as it came out."""
    if isinstance(thing, Mapping) and isinstance(shape, Mapping):
        return {name: _within(thing[name], shape[name]) for name in shape if name in thing}
    if isinstance(thing, list) and isinstance(shape, list) and len(thing) == len(shape):
        return [_within(one, other) for one, other in zip(thing, shape, strict=True)]
    return thing
