"""Pages by a signed webhook: to whatever calls people's phones."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable

import aiohttp

from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.pages import Page
from chatops.kernel.ports import Clock

TIMEOUT = 10.0  # seconds a try
TIMESTAMP, SIGNATURE = "X-Chatops-Timestamp", "X-Chatops-Signature"


class PageHook:
    """``kernel.pages.PagePath``: POSTs the page as JSON; the address often holds a secret, so it is in no log.

    The signature is ``v1=`` and the hex HMAC-SHA256 of ``TIMESTAMP.BODY`` with the shared secret.
    """

    def __init__(
        self, url: str, secret: str, session: Callable[[], aiohttp.ClientSession | None], clock: Clock,
        timeout: float = TIMEOUT,
    ) -> None:  # fmt: skip
        self._url = url
        self._secret = secret
        self._session = session
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def send(self, page: Page) -> None:
        """``kernel.pages.PagePath.send``."""
        session = self._session()
        if session is None:
            raise Unavailable("nothing can be called yet")
        told = {"id": page.id, "name": page.name, "email": page.email, "subject": page.subject, "text": page.text}
        body = json.dumps({**told, "incidents": list(page.incidents)}, ensure_ascii=False).encode()
        at = str(int(self._clock.now()))
        signed = hmac.new(self._secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json", "Idempotency-Key": page.id, TIMESTAMP: at, SIGNATURE: f"v1={signed}",
        }  # fmt: skip
        try:
            async with session.post(
                self._url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as answer:
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as away:
            raise Unavailable(f"the webhook could not be reached ({type(away).__name__})") from away
        if status < 300:
            return
        why = f"the webhook answered {status}"
        raise (Refused(why) if 300 <= status < 500 and status not in (408, 425, 429) else Unavailable(why))
