"""Keys that come from outside, short enough for an index."""

from __future__ import annotations

from hashlib import sha256

LONGEST = 600  # bytes of UTF-8; several make a row of an index, and PostgreSQL takes 2704 at most


def bounded(key: str) -> str:
    """The key itself, or where it is too long its beginning and the hash of all of it: the same for the same key."""
    told = key.encode("utf-8", "surrogatepass")
    if len(told) <= LONGEST:
        return key
    digest = sha256(told).hexdigest()
    return f"{told[: LONGEST - len(digest) - 3].decode('utf-8', 'ignore')}…{digest}"
