"""The one translator from what went wrong to what a person sees."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import aiohttp
from slack_sdk.errors import SlackApiError

from chatops.kernel.accidents import recorded
from chatops.kernel.action import Answer, Button
from chatops.kernel.errors import Forbidden, InputError, PlatformError, Refused, TooLate, Unavailable
from chatops.requests.line import Misread
from chatops.requests.parse import InputErrors
from chatops.slack.mrkdwn import said

log = logging.getLogger(__name__)

# What the client raises when Slack does not answer; whether the call was done is unknown then.
AWAY: tuple[type[Exception], ...] = (TimeoutError, OSError, aiohttp.ClientError)

_LONGEST_LINE = 1500  # characters of a corrected line that a button's value (2,000) holds in any alphabet


def lines(error: BaseException, doing: str = "") -> list[str]:
    """What to say, a sentence a line; what nobody foresaw is logged with its traceback under a reference id."""
    if isinstance(error, PlatformError):
        told = [one for problem in problems(error) for one in (problem.message, problem.hint) if one]
        if isinstance(error, Unavailable) and error.retry_after:
            told.append(f"It asked us to wait {round(error.retry_after)} seconds.")
        return told
    name = recorded(log, error, doing or "answering")
    if isinstance(error, SlackApiError):
        return [f"Slack refused a part of this ({slack_said(error)}). Reference {name}."]
    return [
        "Something went wrong on our side; nothing you did.",
        f"Try again, and if it stays, tell the platform team the reference {name}.",
    ]


def said_lines(error: BaseException, doing: str = "") -> list[str]:
    """The same, escaped for mrkdwn: for what goes out past the views."""
    return [said(line) for line in lines(error, doing)]


# Slack's words for a token that never works (https://docs.slack.dev/reference/methods/auth.test#errors).
_BAD_TOKEN = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type"}
)


def trouble(token: str, error: BaseException) -> str:
    """What keeps us from Slack, for the log; ``token`` is what was shown to it, in words."""
    if not isinstance(error, SlackApiError):
        return f"Slack can't be reached ({type(error).__name__}{f': {error}' if str(error) else ''})"
    said = slack_said(error)
    if said in _BAD_TOKEN:
        return f"Slack refuses {token}: {said}. Look it up in the app's settings and start again with the right one"
    return f"Slack refuses to answer: {said}"


def problems(error: PlatformError) -> Sequence[PlatformError]:
    """The single mistakes behind an error."""
    return error.errors if isinstance(error, InputErrors) else (error,)


def inputs(error: InputError) -> Sequence[InputError]:
    """The single mistakes in inputs, for the fields of a form."""
    return error.errors if isinstance(error, InputErrors) else (error,)


def answer(error: BaseException, *, doing: str = "", form: str = "") -> Answer:
    """The private answer to what went wrong; ``form`` is the line whose form helps on, when there is one."""
    buttons: list[Button] = []
    if isinstance(error, Misread) and error.corrected and len(error.corrected) <= _LONGEST_LINE:
        buttons.append(Button(_use(error), error.corrected, style="primary"))
    if form and isinstance(error, InputError):
        buttons.append(Button("Open the form", form, form=True))
    return Answer(title=title(error), lines=tuple(lines(error, doing)), buttons=tuple(buttons))


def title(error: BaseException) -> str:
    """The kind of failure in a few words."""
    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (InputError, "Not quite"),
        (Refused, "Refused"),
        (TooLate, "Too late"),
        (Unavailable, "Not now"),
        (Forbidden, "The cluster does not allow it"),
        (PlatformError, "That did not work"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), "Sorry")


def _use(error: Misread) -> str:
    """Label of the button that runs the corrected line: `Use checkout`."""
    word = error.suggestion if error.suggestion and len(error.suggestion) <= 60 else "this line"
    return f"Use {word}" if not word.startswith("because ") else "Take it as the reason"


def slack_said(error: SlackApiError) -> str:
    """Slack's word for its refusal; ``unknown`` for an answer that is no JSON, as of a proxy before it."""
    data = error.response.data if hasattr(error.response, "data") else error.response
    return str(data.get("error", "unknown")) if isinstance(data, dict) else "unknown"
