"""GET and POST /page/TOKEN: the one-time page on which a person gives a value that may not pass through Slack.

It needs no script: while the code waits for its confirmation the page asks again by itself. Nothing of it may be
kept, framed or referred to, and the cookie binds it to the browser that was confirmed.
"""

from __future__ import annotations

import base64
import hashlib
import html
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from chatops.kernel.errors import Conflict, InputError, PlatformError, Refused, Unavailable

log = logging.getLogger(__name__)

LARGEST = 1024 * 1024  # bytes of a form; a value of 256 KiB may triple when it is encoded
COOKIE = "page"
PATH = "/page/"
FORM = "application/x-www-form-urlencoded"
_STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#1d1c1d;"
    "background:#fff}h1{font-size:1.3rem;overflow-wrap:anywhere}"
    "b.code{font:700 2.6rem/1.2 ui-monospace,monospace;letter-spacing:.1em}label{font-weight:600}"
    "textarea{width:100%;box-sizing:border-box;font:1rem ui-monospace,monospace;padding:.6rem}"
    "button{font:inherit;padding:.6rem 1.4rem;margin-top:1rem;background:#007a5a;color:#fff;border:0;border-radius:6px}"
    "button:focus-visible,textarea:focus-visible{outline:3px solid #1264a3;outline-offset:2px}"
)
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


class Seen(Protocol):
    """What a browser may see."""

    @property
    def shown(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def session(self) -> str: ...


class OneTimePages(Protocol):
    """What is behind the page (``chatops.requests.pages``)."""

    async def open(self, token: str, session: str) -> Seen: ...

    async def give(self, token: str, session: str, value: str) -> str: ...

    def public_url(self) -> str: ...


class Unfit(Exception):
    """A form that is not one of ours: a status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class PageHandlers:
    """The two routes."""

    def __init__(self, pages: OneTimePages) -> None:
        self._pages = pages

    def routes(self) -> list[web.RouteDef]:
        """GET and POST; no HEAD, which programs send to look at a link and which must not make a code."""
        return [
            web.get(f"{PATH}{{token}}", self._guarded(self._show), allow_head=False),
            web.post(f"{PATH}{{token}}", self._guarded(self._give)),
        ]

    def _guarded(self, handler: Callable[[web.Request], Awaitable[web.Response]]) -> _Handler:
        """A failure of ours is told as a page as well, with the headers that keep it from being kept."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPRequestEntityTooLarge:
                return _said(413, "Not stored", "That is too large for a secret.")
            except (ConnectionError, TimeoutError):
                raise
            except Exception as error:  # where it failed, but not its words: they could hold the value
                where = "".join(traceback.format_tb(error.__traceback__))
                log.error("a one-time page failed: %s\n%s", type(error).__name__, where)
                return _said(500, "Something went wrong", "It is our fault. Reload the page to see where it stands.")

        return guarded

    async def _show(self, request: web.Request) -> web.Response:
        """The code, the field, or that the page is gone; a new browser gets its cookie."""
        token, session = request.match_info["token"], request.cookies.get(COOKIE, "")
        if not session and "again" in request.query:
            # Without this every reload would be another browser, with another question in Slack.
            return _said(400, "This browser keeps no cookies", "Allow them for this page, then open the link again.")
        try:
            seen = await self._pages.open(token, session)
        except Unavailable as away:
            return _said(503, "Just now it does not work", f"{away.message} Reload in a minute.")
        answer = _of(seen)
        if seen.session:
            ours = urlsplit(self._pages.public_url())
            secure = request.secure or "https" in (ours.scheme, request.headers.get("X-Forwarded-Proto", ""))
            path = f"{ours.path.rstrip('/')}{PATH}{token}"  # a proxy may serve us below a path of its own
            answer.set_cookie(
                COOKIE, seen.session, path=path, max_age=900, httponly=True, secure=secure, samesite="Lax"
            )
        return answer

    async def _give(self, request: web.Request) -> web.Response:
        """Takes the value in; what is wrong is said on the page, never the value."""
        try:
            self._check_sender(request)
            value = await _value(request)
        except Unfit as wrong:
            return _said(wrong.status, "Not stored", wrong.sentence)
        try:
            said = await self._pages.give(request.match_info["token"], request.cookies.get(COOKIE, ""), value)
        except InputError as wrong:
            return _said(422, "Not stored", wrong.message, form=True)
        except (Unavailable, Conflict) as away:
            return _said(503, "Not stored", away.message, form=True)
        except Refused as no:
            return _said(403, "Not stored", no.message)
        except PlatformError as no:
            return _said(409, "Not stored", no.message)
        if value.endswith("\n"):  # a password copied with its line break lets nobody in, and nothing shows why
            said += " Its last character is a line break. If that was not meant, ask once more and leave it out."
        return _said(200, "Stored", said)

    def _check_sender(self, request: web.Request) -> None:
        """Raises ``Unfit`` for a form that another site sends; the cookie's SameSite says so to the browser, too.

        Our pages forbid a referrer, so that browsers send ``Origin: null`` from them (https://fetch.spec.whatwg.org).
        """
        ours = urlsplit(self._pages.public_url())
        origin = request.headers.get("Origin", "null")
        foreign = origin not in ("null", f"{ours.scheme}://{ours.netloc}")
        if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise Unfit(403, "This form did not come from the page itself. Open the link again.")


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _value(request: web.Request) -> str:
    """What was typed, to the letter; raises ``Unfit``.

    Read strictly: aiohttp's own reading puts U+FFFD for broken UTF-8, and files on disk for multipart forms.
    """
    if request.content_type != FORM or request.headers.get("Content-Encoding", "identity") != "identity":
        raise Unfit(415, "Send the form of the page.")
    if request.content_length is None or request.content_length > LARGEST:
        raise Unfit(413, "That is too large for a secret.")
    try:
        body = (await request.read()).decode("ascii")
        found = parse_qsl(body, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=1)
    except ValueError:  # not percent-encoded, not UTF-8, more than one field
        raise Unfit(400, "The form can't be read. Send the form of the page.") from None
    if [name for name, _ in found] != ["value"]:
        raise Unfit(400, "The form has no field called value.")
    # Browsers end lines with CR LF whatever was typed: https://html.spec.whatwg.org (form submission)
    return found[0][1].replace("\r\n", "\n")


_FORM = (
    '<form method="post" autocomplete="off"><label for="value">The value</label>'
    '<textarea id="value" name="value" rows="4" required autofocus spellcheck="false" autocapitalize="off"'
    ' autocorrect="off" autocomplete="off"></textarea><button>Store it</button></form>'
)


def _of(seen: Seen) -> web.Response:
    title = html.escape(seen.title)
    if seen.shown == "code":
        code = html.escape(f"{seen.code[:3]} {seen.code[3:]}")
        said = "I asked you in Slack whether this is your page. Compare the code there, then say yes."
        return _page(200, title, f'<p><b class="code">{code}</b></p><p>{said}</p>', again=True)
    if seen.shown == "field":
        said = "It goes straight into the cluster. Nobody sees it in Slack, and it is in no log."
        return _page(200, title, f"<p>{said}</p>{_FORM}")
    if seen.shown == "done":
        return _said(200, "Stored", "The value is stored. You can close this page.")
    return _said(404, "This page is gone", "It was used, closed or left alone too long. Ask once more in Slack.")


def _said(status: int, title: str, sentence: str, *, form: bool = False) -> web.Response:
    return _page(status, title, f"<p>{html.escape(sentence)}</p>{_FORM if form else ''}")


def _page(status: int, title: str, body: str, *, again: bool = False) -> web.Response:
    refresh = '<meta http-equiv="refresh" content="2;url=?again">' if again else ""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{refresh}'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>{body}</html>"
    )
    return web.Response(status=status, text=text, content_type="text/html", charset="utf-8", headers=_HEADERS)
