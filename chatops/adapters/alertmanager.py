"""Silences in Alertmanager, through its API v2.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp

from chatops.kernel.errors import Refused

TIMEOUT = 5.0  # seconds a try
TRIES = 2  # a second silence that says the same does no harm
LONGEST_ANSWER = 4096  # bytes that are read of a refusal


class Alertmanager:
    """Makes silences; ``url`` is asked for each time, for the configuration may change."""

    def __init__(
        self, url: Callable[[], str], session: Callable[[], aiohttp.ClientSession | None], timeout: float = TIMEOUT
    ) -> None:
        self._url = url
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def silence(
        self, matchers: Sequence[Mapping[str, Any]], start: float, end: float, by: str, comment: str
    ) -> str:
        """Makes a silence (times: epoch seconds) and gives the address of its page; raises ``Refused``."""
        base, session = self._url().rstrip("/"), self._session()
        if not base or session is None:
            raise Refused("No Alertmanager is configured.", hint="`alertmanager: {url: …}` in platform.yml says where.")
        body = {
            "matchers": [*matchers], "startsAt": _rfc3339(start), "endsAt": _rfc3339(end), "createdBy": by,
            "comment": comment,
        }  # fmt: skip
        said = ""
        for _ in range(TRIES):
            try:
                async with session.post(f"{base}/api/v2/silences", json=body, timeout=self._timeout) as answer:
                    if answer.status == 200:
                        found = await answer.json()
                        return f"{base}/#/silences/{found['silenceID']}"
                    said = f"answered {answer.status}"
                    if answer.status < 500:
                        why = (await answer.content.read(LONGEST_ANSWER)).decode(errors="replace").strip()
                        raise Refused(f"Alertmanager refuses the silence: {why[:300]}")
            except (TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError) as away:
                said = f"does not answer ({type(away).__name__})"
        raise Refused(f"Alertmanager {said}; nothing is silenced.", hint="Try again in a moment, or silence it there.")


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
