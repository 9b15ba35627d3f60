"""The commits between two versions, through GitHub's REST API.

https://docs.github.com/en/rest/commits/commits#compare-two-commits
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from yarl import URL

from chatops.adapters.access import Access, away, turned_away
from chatops.kernel.alert import Unreadable
from chatops.kernel.catalog import Endpoint
from chatops.kernel.commits import MOST_AUTHORS, MOST_COMMITS, Commit, Compared, Comparison
from chatops.kernel.errors import Refused, Unavailable
from chatops.kernel.received import parsed, text

TIMEOUT = 10.0  # seconds a call; what is tried again is said by the caller
LARGEST = 4 * 1024 * 1024  # bytes of an answer, which holds what changed in up to 300 files as well
PAGE = 100  # commits, the most that a page may have
LONGEST_WAIT = 3600.0  # seconds that GitHub may ask us to wait
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "chatops"}


class GitHubApi:
    """Asks the configured one and no other; ``endpoint`` is asked for each time, for the configuration may change."""

    def __init__(
        self, endpoint: Callable[[], Endpoint], session: Callable[[], aiohttp.ClientSession | None],
        timeout: float = TIMEOUT, now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._endpoint = endpoint
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._now = now

    async def compare(self, asked: Comparison) -> Compared:
        """``comparisons.Api.compare``."""
        endpoint, session = self._endpoint(), self._session()
        if session is None:
            raise Unavailable("GitHub can't be called yet")
        access = await Access.to(endpoint)
        page = f"/repos/{asked.repository}/compare/{asked.path}?per_page={PAGE}"
        try:
            # Only the address of the configuration is called, also when that one sends us elsewhere
            async with session.get(
                URL(endpoint.url.rstrip("/") + page, encoded=True), headers={**HEADERS, **access.headers},
                timeout=self._timeout, allow_redirects=False, ssl=access.tls,
            ) as answer:  # fmt: skip
                if answer.status != 200:
                    raise self._refusal(endpoint, asked, answer)
                body = await _read(answer)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"GitHub {away(error)}") from error
        if body is None:
            raise Refused("GitHub's answer is too large to read.")
        return await asyncio.to_thread(_compared, body)

    def _refusal(self, endpoint: Endpoint, asked: Comparison, answer: aiohttp.ClientResponse) -> Exception:
        status = answer.status
        if status in (403, 429) and (wait := self._wait(answer.headers)):
            return Unavailable("GitHub asks us to wait, for we asked it too often", retry_after=wait)
        if turned := turned_away(endpoint, status):
            return Unavailable(f"GitHub {turned}")  # asked again later: a secret may be rotating
        if status >= 500 or status == 429:
            return Unavailable(f"GitHub answered {status}")
        if status == 404:
            return Refused(f"GitHub finds no {asked.base} or no {asked.head} in {asked.repository}.")
        if 300 <= status < 400:
            return Refused(f"{asked.repository} has moved: `repository` in platform.yml needs its present name.")
        return Refused(f"GitHub refuses to compare {asked.base} with {asked.head} ({status}).")

    def _wait(self, headers: Mapping[str, str]) -> float:
        """Seconds until GitHub may be asked again; 0 when it is not about how often we asked.

        https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
        """
        if seconds := _number(headers.get("retry-after", "")):
            return min(LONGEST_WAIT, seconds)
        if headers.get("x-ratelimit-remaining", "") != "0":
            return 0.0
        return min(LONGEST_WAIT, max(60.0, _number(headers.get("x-ratelimit-reset", "")) - self._now()))


async def _read(answer: aiohttp.ClientResponse) -> bytes | None:
    read = bytearray()
    async for piece in answer.content.iter_chunked(64 * 1024):
        read += piece
        if len(read) > LARGEST:
            answer.close()
            return None
    return bytes(read)


def _compared(body: bytes) -> Compared:
    try:
        found = parsed(body)
        commits = [_commit(one) for one in reversed(found["commits"])]
        return Compared(
            ahead=int(found["total_commits"]), behind=int(found["behind_by"]), commits=tuple(commits[:MOST_COMMITS]),
            authors=tuple(dict.fromkeys(one.login for one in commits if one.login))[:MOST_AUTHORS],
        )  # fmt: skip
    except (Unreadable, KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise Unavailable("GitHub's answer can't be read") from wrong


def _commit(found: Mapping[str, Any]) -> Commit:
    commit, user = found["commit"], found.get("author") or {}  # no user: GitHub knows nobody of that e-mail
    login = text(user.get("login"), "author.login")[:100]
    message = text(commit["message"], "commit.message").strip()
    name = text((commit.get("author") or {}).get("name"), "commit.author.name")[:100]
    return Commit(message.partition("\n")[0].strip()[:200], login or name, login)


def _number(given: str) -> float:
    return float(given) if re.fullmatch(r"\d{1,12}", given.strip()) else 0.0
