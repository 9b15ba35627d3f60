"""GET and POST /page/TOKEN: the one-time page on which a person gives a value that may not pass through Slack.

It needs no script: while the code waits for its confirmation the page asks again by itself. Nothing of it may be
kept, framed or referred to, and the cookie binds it to the browser that was confirmed.
"""

from __future__ import annotations

import html
import logging
from typing import Protocol

from aiohttp import web

from chatops.http.refusals import refused
from chatops.kernel.errors import Conflict, PlatformError, Refused, Unavailable

log = logging.getLogger(__name__)

LARGEST = 1024 * 1024  # bytes of a form; a value of 256 KiB may triple when it is encoded
COOKIE = "page"
_STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#1d1c1d}"
    "h1{font-size:1.3rem}b.code{font:700 2.6rem/1.2 ui-monospace,monospace;letter-spacing:.1em}"
    "textarea{width:100%;box-sizing:border-box;font:1rem ui-monospace,monospace;padding:.6rem}"
    "button{font:inherit;padding:.6rem 1.4rem;margin-top:1rem;background:#007a5a;color:#fff;border:0;border-radius:6px}"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
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


class PageHandlers:
    """The two routes."""

    def __init__(self, pages: OneTimePages) -> None:
        self._pages = pages

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The code, the field, or that the page is gone; a new browser gets its cookie."""
        token = request.match_info["token"]
        try:
            seen = await self._pages.open(token, request.cookies.get(COOKIE, ""))
        except Unavailable as away:
            return _page(503, "Just now it does not work", f"<p>{html.escape(away.message)} Reload in a minute.</p>")
        answer = _of(seen)
        if seen.session:
            secure = request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"
            answer.set_cookie(
                COOKIE, seen.session, path=f"/page/{token}", max_age=900, httponly=True, secure=secure, samesite="Lax"
            )
        return answer

    async def give(self, request: web.Request) -> web.StreamResponse:
        """Takes the value in; what is wrong is said on the page, never the value."""
        if request.content_length is None or request.content_length > LARGEST:
            return refused(413, "That is too large for a secret.")
        token, session = request.match_info["token"], request.cookies.get(COOKIE, "")
        form = await request.post()
        value = form.get("value")
        if not isinstance(value, str):
            return refused(400, "The form has no field called value.")
        try:
            # Browsers end lines with CR LF whatever was typed: https://html.spec.whatwg.org (form submission)
            said = await self._pages.give(token, session, value.replace("\r\n", "\n"))
        except (Unavailable, Conflict) as away:
            return _page(503, "Not stored", f"<p>{html.escape(away.message)}</p>{_FORM}")
        except Refused as no:
            return _page(403, "Not stored", f"<p>{html.escape(no.message)}</p>")
        except PlatformError as no:
            return _page(409, "Not stored", f"<p>{html.escape(no.message)}</p>")
        return _page(200, "Stored", f"<p>{html.escape(said)}</p>")


_FORM = (
    '<form method="post" autocomplete="off"><label for="value">The value</label>'
    '<textarea id="value" name="value" rows="4" required autofocus spellcheck="false"></textarea>'
    "<button>Store it</button></form>"
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
        return _page(200, "Stored", "<p>The value is stored. You can close this page.</p>")
    return _page(404, "This page is gone", "<p>It was used, closed or left alone too long. Ask once more in Slack.</p>")


def _page(status: int, title: str, body: str, *, again: bool = False) -> web.Response:
    refresh = '<meta http-equiv="refresh" content="2">' if again else ""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{refresh}'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1>{body}</html>"
    )
    return web.Response(status=status, text=text, content_type="text/html", charset="utf-8", headers=_HEADERS)
