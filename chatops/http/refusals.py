"""How this server says no: a status and a sentence as JSON."""

from __future__ import annotations

from aiohttp import web


def refused(status: int, sentence: str) -> web.Response:
    """A JSON answer ``{"error": …}``."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return web.json_response({"error": sentence}, status=status, headers=headers)
