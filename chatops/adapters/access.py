"""What is needed to call a service of our own network: its login and its certificate authority.

Both are read for each call, so that a secret that was rotated holds at once; neither is kept, logged or told.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import aiohttp

from chatops.kernel.catalog import Endpoint, Reference
from chatops.kernel.errors import Refused

LONGEST = 65536  # bytes of a secret's file


@dataclass(frozen=True, slots=True)
class Access:
    """The headers and the TLS of one call; the headers hold the secret."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | bool = True  # True: the system's authorities

    @classmethod
    async def to(cls, endpoint: Endpoint) -> Access:
        """How to call it now. Raises ``Refused`` when the secret or the authority cannot be read."""
        if endpoint.token is None and endpoint.password is None and not endpoint.ca:
            return cls()
        return await asyncio.to_thread(_read, endpoint)


def turned_away(endpoint: Endpoint, status: int) -> str:
    """The sentence about an answer that is about the login; empty: it is about something else.

    What came with it is not told, for some repeat what was sent.
    """
    anonymous = endpoint.token is None and endpoint.password is None
    if status == 401 and anonymous:
        return f"asks for a login (401): `{endpoint.name}: {{token: …}}` in platform.yml gives it one"
    if status not in (401, 403) or anonymous:
        return ""
    return f"does not accept the login that `{endpoint.name}` in platform.yml names ({status})"


def away(error: Exception) -> str:
    """The sentence about a call that came to nothing."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "shows a certificate that is not trusted"
    return f"does not answer ({type(error).__name__})"


def _read(endpoint: Endpoint) -> Access:
    headers = {}
    if endpoint.token is not None:
        headers["Authorization"] = f"Bearer {_secret(endpoint, 'token', endpoint.token)}"
    elif endpoint.password is not None:
        password = _secret(endpoint, "password", endpoint.password)
        headers["Authorization"] = aiohttp.encode_basic_auth(endpoint.user, password, encoding="utf-8")
    return Access(headers, _tls(endpoint) if endpoint.ca else True)


def _secret(endpoint: Endpoint, key: str, where: Reference) -> str:
    """The secret itself, without the line end that files have."""
    what = f"the environment variable {where.env}" if where.env else where.file
    said = f"The {key} of `{endpoint.name}` can't be read from {what}"
    try:
        found = os.environ.get(where.env, "") if where.env else _content(Path(where.file))
    except (OSError, ValueError) as wrong:
        raise Refused(f"{said} ({type(wrong).__name__}).") from None
    found = found.strip()
    if not found:
        raise Refused(f"{said}: it is empty or not there.")
    if not found.isprintable() or (key == "token" and not found.isascii()):
        raise Refused(f"{said}: it holds what no header can carry.")
    return found


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(LONGEST).decode()


def _tls(endpoint: Endpoint) -> ssl.SSLContext:
    try:
        return _context(endpoint.ca, os.stat(endpoint.ca).st_mtime_ns)
    except (OSError, ssl.SSLError) as wrong:
        raise Refused(
            f"The ca of `{endpoint.name}` can't be read from {endpoint.ca} ({type(wrong).__name__})."
        ) from None


@lru_cache(maxsize=8)
def _context(path: str, changed: int) -> ssl.SSLContext:
    """The same one until the file changes, so that connections are used again."""
    return ssl.create_default_context(cafile=path)
