"""Range queries to Prometheus, through its HTTP API v1.

https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

from __future__ import annotations

import json
from collections.abc import Callable

import aiohttp

from chatops.adapters.access import Access, away, turned_away
from chatops.kernel.catalog import Endpoint
from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.masking import mask

TIMEOUT = 10.0  # seconds a try
COMPUTES = 8  # seconds that Prometheus itself may take for it
TRIES = 2  # it is a question: asking twice does no harm
LARGEST = 4 * 1024 * 1024  # bytes of an answer: a thousand lines, of which a picture shows six
LONGEST_REFUSAL = 4096  # bytes that are read of one


class Prometheus:
    """Asks the configured one and no other; ``endpoint`` is asked for each time, for the configuration may change."""

    def __init__(
        self, endpoint: Callable[[], Endpoint | None], session: Callable[[], aiohttp.ClientSession | None],
        timeout: float = TIMEOUT,
    ) -> None:  # fmt: skip
        self._endpoint = endpoint
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    @property
    def configured(self) -> bool:
        """Whether there is one to ask."""
        return self._endpoint() is not None

    async def query_range(self, expression: str, start: float, end: float, step: float) -> bytes | None:
        """The answer as it came (times: epoch seconds); None: it is larger than ``LARGEST``.

        Raises ``Refused`` for what it will never answer, and ``Unavailable`` when it is away.
        """
        endpoint, session = self._endpoint(), self._session()
        if endpoint is None or session is None:
            raise Refused("No Prometheus is configured.", hint="`prometheus: {url: …}` in platform.yml says where.")
        access = await Access.to(endpoint)
        asked = {
            "query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}",
            "timeout": f"{COMPUTES}s",
        }  # fmt: skip
        said = ""
        for _ in range(TRIES):
            try:
                # Only the address of the configuration is called, also when that one sends us elsewhere
                async with session.post(
                    f"{endpoint.url.rstrip('/')}/api/v1/query_range", data=asked, timeout=self._timeout,
                    allow_redirects=False, headers=access.headers, ssl=access.tls,
                ) as answer:  # fmt: skip
                    if answer.status == 200:
                        return await _read(answer)
                    if turned := turned_away(endpoint, answer.status):
                        raise Unavailable(f"Prometheus {turned}")  # asked again later: a secret may be rotating
                    said = f"answered {answer.status}"
                    if answer.status < 500 and answer.status != 429:
                        raise Refused(f"Prometheus refuses the question: {await _why(answer)}")
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                said = away(error)
        raise Unavailable(f"Prometheus {said}")


async def _read(answer: aiohttp.ClientResponse) -> bytes | None:
    read = bytearray()
    async for piece in answer.content.iter_chunked(64 * 1024):
        read += piece
        if len(read) > LARGEST:
            answer.close()
            return None
    return bytes(read)


async def _why(answer: aiohttp.ClientResponse) -> str:
    """Prometheus' own words, where it has some."""
    body = (await answer.content.read(LONGEST_REFUSAL)).decode(errors="replace")
    try:
        said = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        said = f"{answer.status} {answer.reason or ''}".strip()
    return mask(" ".join(said.split())[:300])[0]
