"""What nobody foresaw, under a name that a person can say and that finds its traceback in the log.

What was foreseen, as that a database is away, has no traceback there.
"""

from __future__ import annotations

import logging
import secrets

from chatops.kernel.errors import Unavailable

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without what is mistaken for another when read aloud


def reference() -> str:
    """A short id, the same form everywhere: E-7F3K9Q."""
    return "E-" + "".join(secrets.choice(_ALPHABET) for _ in range(6))


def recorded(log: logging.Logger, error: BaseException, doing: str) -> str:
    """Logs the traceback in a line that begins with a new reference, and returns that reference."""
    name = reference()
    log.error("%s while %s", name, doing, exc_info=error)
    return name


class Foreseen(logging.Filter):
    """Makes one warning line of a traceback that ends in ``Unavailable``: nothing is wrong with the code.

    Add it to the handlers, before whatever formats tracebacks. So it holds for the records of libraries, and wherever
    a replica that was given up has work under way, all of which is refused.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True."""
        away = record.exc_info[1] if record.exc_info else None
        while isinstance(away, ExceptionGroup) and away.split(Unavailable)[1] is None:
            away = away.exceptions[0]
        if isinstance(away, Unavailable):
            record.msg, record.args = f"{record.getMessage()}: {away}", ()
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
