"""What the CEL of a declared action sees, but for ``object`` and ``steps``, which come with the step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from chatops.kernel.action import Action, Context


def variables(action: Action, inputs: BaseModel, ctx: Context) -> dict[str, Any]:
    """``inputs``, ``env``, ``service``, ``requester``, ``request`` and ``now``: the time of the first plan, frozen."""
    seen = action.variables(inputs) if action.variables is not None else inputs.model_dump(mode="python")
    return around(seen, ctx)


def around(seen: Mapping[str, Any], ctx: Context) -> dict[str, Any]:
    """The same with the inputs as CEL sees them."""
    env, service, person = ctx.environment, ctx.service, ctx.requester
    frozen = ctx.frozen.get("now")
    return {
        "inputs": dict(seen),
        "env": {
            "name": env.name if env else "",
            "tier": env.tier if env else "",
            "namespace": env.namespace if env else "",
            "cluster": env.cluster if env else "",
        },
        "service": {
            "name": service.name if service else "",
            "team": service.team if service else "",
            "image": service.image if service else "",
            "labels": dict(service.labels) if service else {},
        },
        "requester": {
            "email": person.email,
            "name": person.name,
            "groups": list(person.groups),
            "teams": list(person.teams),
            "automation": person.automation,
        },
        "request": {"id": str(ctx.request), "name": f"R-{ctx.request}"},
        "now": datetime.fromisoformat(frozen) if frozen else ctx.now.astimezone(UTC).replace(microsecond=0),
    }
