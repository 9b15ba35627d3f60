"""What CEL sees of the catalog, and the CEL of a declared action of everything but its ``object`` and ``steps``.

Every field is there; what is absent is ``""`` or ``{}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from chatops.kernel.action import Action, Context
from chatops.kernel.catalog import Environment, Service
from chatops.kernel.people import Person


def of_environment(env: Environment | None) -> dict[str, Any]:
    """``env``."""
    return {
        "name": env.name if env else "",
        "tier": env.tier if env else "",
        "namespace": env.namespace if env else "",
        "cluster": env.cluster if env else "",
    }


def of_service(service: Service | None) -> dict[str, Any]:
    """``service``."""
    return {
        "name": service.name if service else "",
        "team": service.team if service else "",
        "image": service.image if service else "",
        "labels": dict(service.labels) if service else {},
    }


def of_requester(person: Person) -> dict[str, Any]:
    """``requester``."""
    return {
        "email": person.email,
        "name": person.name,
        "groups": list(person.groups),
        "teams": list(person.teams),
        "automation": person.automation,
    }


def variables(action: Action, inputs: BaseModel, ctx: Context) -> dict[str, Any]:
    """``inputs``, ``env``, ``service``, ``requester``, ``request`` and ``now``: the time of the first plan, frozen."""
    seen = action.variables(inputs) if action.variables is not None else inputs.model_dump(mode="python")
    return around(seen, ctx)


def around(seen: Mapping[str, Any], ctx: Context) -> dict[str, Any]:
    """The same with the inputs as CEL sees them."""
    frozen = ctx.frozen.get("now")
    return {
        "inputs": dict(seen),
        "env": of_environment(ctx.environment),
        "service": of_service(ctx.service),
        "requester": of_requester(ctx.requester),
        "request": {"id": str(ctx.request), "name": f"R-{ctx.request}"},
        "now": datetime.fromisoformat(frozen) if frozen else ctx.now.astimezone(UTC).replace(microsecond=0),
    }
