"""The control side, `/sandbox/…`: faults, pace, history, and what was asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .errors import ApiError, bad_request
from .faults import Fault
from .http import as_json
from .values import Obj

if TYPE_CHECKING:
    from .server import PracticeCluster

_FIELDS = {"answer", "verb", "resource", "name", "namespace", "subresource", "dry_run", "times", "message",
           "retry_after", "skip"}  # fmt: skip


class Control:
    """Only the one who runs the practice cluster talks to this side; it asks for no token and listens on loopback."""

    def __init__(self, cluster: PracticeCluster) -> None:
        self._cluster = cluster

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """GET state, requests?after=N, faults; POST what changes something; DELETE faults."""
        what = request.match_info["what"]
        try:
            raw = await request.read()
            body = json.loads(raw) if raw.strip() else {}
            return as_json(self._act(request, what, body))
        except (ValueError, TypeError, KeyError) as error:
            return as_json(bad_request(str(error)).body(), 400)
        except ApiError as error:
            return as_json(error.body(), error.code)

    def _act(self, request: web.Request, what: str, body: Any) -> Obj:
        cluster = self._cluster
        match (request.method, what):
            case ("GET", "state"):
                return {"pace": cluster.pace.factor, "version": cluster.store.version, "watches": cluster.watches.open,
                        **cluster.faults.show()}  # fmt: skip
            case ("GET", "requests"):
                after = int(request.query.get("after", "0"))
                return {"last": cluster.log.count, "requests": cluster.log.after(after)}
            case ("GET", "faults"):
                return cluster.faults.show()
            case ("POST", "faults"):
                unknown = set(body) - _FIELDS
                if unknown:
                    raise bad_request(
                        f"unknown fields: {', '.join(sorted(unknown))}; known: {', '.join(sorted(_FIELDS))}"
                    )
                return cluster.faults.add(Fault(**body)).show()
            case ("DELETE", "faults"):
                cluster.faults.clear()
                return cluster.faults.show()
            case ("POST", "away"):
                cluster.go_away() if body.get("away", True) else cluster.come_back()
                return cluster.faults.show()
            case ("POST", "pace"):
                cluster.pace.set(float(body["factor"]))
                return {"pace": cluster.pace.factor}
            case ("POST", "close-watches"):
                return {"closed": cluster.watches.close_all()}
            case ("POST", "claims"):
                kind, why = str(body["kind"]), str(body.get("fail") or "")
                cluster.claims.fail(kind, why) if why else cluster.claims.recover(kind)
                return cluster.claims.show()
            case ("POST", "compact"):
                return {"oldest": cluster.store.compact()}
        raise ApiError(404, "NotFound", f"no {request.method} /sandbox/{what}", {})
