"""A strict stand-in for GitHub's REST API: it compares two tags of acme/cart, and refuses what GitHub would.

https://docs.github.com/en/rest/commits/commits#compare-two-commits
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.github import user

API_TOKEN = "github_pat_11ABCDEFG0stand_in"


def commit(message: str, login: str = "dana-acme", name: str = "Dana", number: int = 1) -> dict[str, Any]:
    """A commit; ``login`` is empty when GitHub knows nobody of the author's e-mail."""
    sha = f"{number:040x}"
    author = {"name": name, "email": f"{name.lower()}@acme.test", "date": "2026-11-20T10:00:00Z"}
    return {
        "sha": sha, "node_id": "MDY6Q29tbWl0NmRjYjA5", "html_url": f"https://github.test/acme/cart/commit/{sha}",
        "commit": {
            "author": author, "committer": {**author, "name": "GitHub"}, "message": message, "comment_count": 0,
            "tree": {"sha": sha, "url": f"https://api.github.test/trees/{sha}"},
            "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None},
        },
        "author": user(login) if login else None, "committer": user("web-flow"), "parents": [{"sha": sha}],
    }  # fmt: skip


FIX, KEEP = commit("Fix the sum of an empty cart"), commit("Keep the cart for a week\n\nAs asked.", "", "Lee", 2)


def comparison(*commits: dict[str, Any], behind: int = 0, total: int | None = None) -> dict[str, Any]:
    """What GitHub answers; the commits are in their order, the oldest first."""
    total = len(commits) if total is None else total
    status = ("diverged" if behind else "ahead") if total else ("behind" if behind else "identical")
    return {
        "url": "https://api.github.test/repos/acme/cart/compare/v2.8.0...v2.9.0",
        "html_url": "https://github.test/acme/cart/compare/v2.8.0...v2.9.0", "status": status, "ahead_by": total,
        "behind_by": behind, "total_commits": total, "base_commit": commit("Before", number=9),
        "merge_base_commit": commit("Before", number=9), "commits": list(commits), "files": [],
    }  # fmt: skip


@dataclass
class StandIn:
    """``compares``: what it answers by ``base...head``; ``answers`` are given instead, first to last."""

    compares: dict[str, Any] = field(default_factory=lambda: {"v2.8.0...v2.9.0": comparison(FIX, KEEP)})
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    hangs: bool = False
    end: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Answers as GitHub does."""
        self.calls.append(request.rel_url.raw_path_qs)
        if self.hangs:
            await self.end.wait()
        if self.answers:
            status, headers, body = self.answers.pop(0)
            return web.Response(status=status, headers=headers, body=body)
        if request.headers.get("Authorization") != f"Bearer {API_TOKEN}":
            return web.json_response({"message": "Bad credentials"}, status=401)
        if not request.headers.get("User-Agent") or request.headers.get("X-GitHub-Api-Version") != "2022-11-28":
            return web.json_response({"message": "Request forbidden by administrative rules"}, status=403)
        found = self.compares.get(request.path.removeprefix("/repos/acme/cart/compare/"))
        if found is None:
            return web.json_response({"message": "Not Found", "status": "404"}, status=404)
        return web.json_response(found)


@asynccontextmanager
async def github_api() -> AsyncIterator[StandIn]:
    """GitHub's API, listening on loopback."""
    found, app = StandIn(), web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    async with TestServer(app) as server:
        found.address = str(server.make_url("/")).rstrip("/")
        yield found
        found.end.set()
