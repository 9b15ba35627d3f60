"""Everything that may go wrong and that a person will read about.

    PlatformError            said to the person as it stands; ``hint`` says what to do next
    ├── InputError           a mistake in one input; shown at its field, or as a suggestion on the line
    ├── Refused              a rule or a guard says no; ``rule`` names it
    ├── TooLate              somebody or something was first; says who and what stands now
    ├── Unavailable          an outside system cannot be asked now; ``retry_after`` seconds when it said so
    │   └── DatabaseAway     our own database: nothing was saved, or nobody knows whether it was
    └── ClusterError         the cluster answered, and the answer is no
        ├── NotFound         404
        ├── Forbidden        401, 403
        ├── Conflict         409: somebody wrote in between, or another manager owns a field
        └── Invalid          400, 422: the cluster finds the object wrong

Whatever is not a PlatformError is a defect of ours: the person gets a reference id that finds the traceback in the log.
The one translator to Slack is ``chatops.slack.errors``.
"""

from __future__ import annotations


class PlatformError(Exception):
    """A failure explained in a sentence a person can act on."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(PlatformError):
    """One input is wrong; ``field`` is its name, ``suggestion`` the value that was probably meant."""

    def __init__(self, message: str, *, field: str = "", suggestion: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field
        self.suggestion = suggestion


class Refused(PlatformError):
    """A policy rule or a guard of ours says no; ``rule`` names it."""

    def __init__(self, message: str, *, rule: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rule = rule


class TooLate(PlatformError):
    """The thing was already decided, done or gone."""


class Unavailable(PlatformError):
    """An outside system did not answer or asked us to wait; trying again later is right."""

    def __init__(self, message: str, *, retry_after: float = 0.0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class DatabaseAway(Unavailable):
    """Our database does not answer, or not to us: nothing was saved, or it is not known whether it was."""


class ClusterError(PlatformError):
    """The Kubernetes API answered with an error that trying again will not cure."""

    def __init__(self, message: str, *, status: int = 0, causes: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.causes = causes


class NotFound(ClusterError):
    """404."""


class Forbidden(ClusterError):
    """401 or 403."""


class Conflict(ClusterError):
    """409: the object changed since it was read, or another field manager owns a field."""


class Invalid(ClusterError):
    """400 or 422: the API server finds the object wrong; ``causes`` are its words per field."""
