"""What nobody foresaw, under a name that a person can say and that finds its traceback in the log."""

from __future__ import annotations

import logging
import secrets

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without what is mistaken for another when read aloud


def reference() -> str:
    """A short id, the same form everywhere: E-7F3K9Q."""
    return "E-" + "".join(secrets.choice(_ALPHABET) for _ in range(6))


def recorded(log: logging.Logger, error: BaseException, doing: str) -> str:
    """Logs the traceback in a line that begins with a new reference, and returns that reference."""
    name = reference()
    log.error("%s while %s", name, doing, exc_info=error)
    return name
