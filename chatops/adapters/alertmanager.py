"""Silences in Alertmanager, through its API v2.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp

from chatops.adapters.access import Access, away, turned_away
from chatops.kernel.catalog import Endpoint
from chatops.kernel.errors import Refused
from chatops.kernel.masking import mask

TIMEOUT = 5.0  # seconds a try
TRIES = 2
LONGEST_ANSWER = 4 * 1024 * 1024  # bytes; the list has all silences of the last five days
ROUNDED = 0.002  # seconds; Alertmanager says times in milliseconds
UNKNOWN = "whether it is silenced is not known"
OVER = "already expired"  # what Alertmanager says, with a 500, of a silence that is over
BETWEEN = frozenset({502, 504})  # what a proxy says whose question may have arrived all the same


class Unsure(Refused):
    """Nobody knows whether the silence was made."""


class Alertmanager:
    """Makes silences; ``endpoint`` is asked for each time, for the configuration may change."""

    def __init__(
        self, endpoint: Callable[[], Endpoint | None], session: Callable[[], aiohttp.ClientSession | None],
        timeout: float = TIMEOUT,
    ) -> None:  # fmt: skip
        self._endpoint = endpoint
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def silence(
        self, matchers: Sequence[Mapping[str, Any]], start: float, end: float, by: str, comment: str
    ) -> str:
        """Makes a silence (times: epoch seconds) and gives the address of its page; raises ``Refused``.

        One whose answer was lost is looked for before it is made again: a second one that says the same would go on
        when the first is ended.
        """
        body = {
            "matchers": [*matchers], "startsAt": _rfc3339(start), "endsAt": _rfc3339(end), "createdBy": by,
            "comment": comment,
        }  # fmt: skip
        try:
            return await self._make(body)
        except Unsure:
            found = await self.standing(comment, end)
            return found[0] if found is not None else await self._make(body)

    async def standing(self, comment: str, end: float) -> tuple[str, list[dict[str, Any]]] | None:
        """The silence that says this, ends then (epoch seconds) and is not over, and its matchers.

        Raises ``Refused``.
        """
        base, answer = await self._call("GET", "/api/v2/silences", None, UNKNOWN)
        try:
            for one in json.loads(answer):
                ends = datetime.fromisoformat(one["endsAt"]).timestamp()
                is_it = one["comment"] == comment and abs(ends - end) < ROUNDED
                if is_it and one["status"]["state"] != "expired":
                    matchers = [dict(matcher) for matcher in one["matchers"]]
                    return f"{base}/#/silences/{one['id']}", matchers
        except (ValueError, KeyError, TypeError, RecursionError) as wrong:
            raise Refused(f"Alertmanager's list of silences can't be read; {UNKNOWN}.") from wrong
        return None

    async def end(self, address: str) -> None:
        """Ends the silence that ``silence`` gave this address; one that is over or gone is none any more.

        Raises ``Refused``.
        """
        number = address.rpartition("/")[2]
        await self._call("DELETE", f"/api/v2/silence/{quote(number, safe='')}", None, "the silence goes on")

    async def _make(self, body: Mapping[str, Any]) -> str:
        base, answer = await self._call("POST", "/api/v2/silences", body, "nothing is silenced")
        try:
            return f"{base}/#/silences/{json.loads(answer)['silenceID']}"
        except (ValueError, KeyError, TypeError, RecursionError) as wrong:
            raise Refused("Alertmanager's answer can't be read; look there whether it is silenced.") from wrong

    async def _call(self, method: str, path: str, body: Any, otherwise: str) -> tuple[str, str]:
        """The address that was called, and the answer."""
        endpoint, session = self._endpoint(), self._session()
        if endpoint is None or session is None:
            raise Refused("No Alertmanager is configured.", hint="`alertmanager: {url: …}` in platform.yml says where.")
        base, access = endpoint.url.rstrip("/"), await Access.to(endpoint)
        said = ""
        for _ in range(TRIES):
            try:
                async with session.request(
                    method, base + path, json=body, timeout=self._timeout, allow_redirects=False,
                    headers=access.headers, ssl=access.tls,
                ) as answer:  # fmt: skip
                    text = (await _read(answer)).decode(errors="replace").strip()
                    if answer.status == 200 or (method == "DELETE" and (answer.status == 404 or OVER in text)):
                        return base, text
                    if turned := turned_away(endpoint, answer.status):
                        raise Refused(f"Alertmanager {turned}; {otherwise}.")
                    said = f"answered {answer.status}"
                    if answer.status < 500:
                        raise Refused(f"Alertmanager refuses it, so {otherwise}: {mask(text[:300])[0]}")
                    if method == "POST" and answer.status in BETWEEN:
                        raise Unsure(f"Alertmanager {said}; {UNKNOWN}.", hint="Look there.")
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                said = away(error)
                if method == "POST" and not isinstance(error, aiohttp.ClientConnectorError):  # it may have arrived
                    raise Unsure(f"Alertmanager {said}; {UNKNOWN}.", hint="Look there.") from error
        raise Refused(f"Alertmanager {said}; {otherwise}.", hint="Try again in a moment, or do it there.")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for piece in answer.content.iter_chunked(64 * 1024):
        found += piece
        if len(found) > LONGEST_ANSWER:  # what is cut off there can't be read, which is said
            break
    return bytes(found)


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
