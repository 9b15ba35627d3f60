"""A note: a few lines in a thread or channel, perhaps with somebody rung, a picture, a log, and buttons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatops.slack.mrkdwn import escape, link, mention, preformatted, said
from chatops.slack.views.blocks import Message, actions, fallback, image, line_buttons, section, sections

MENTIONED = 25


def note(content: Mapping[str, Any]) -> Message:
    """From ``lines`` (or ``text``), ``mention`` (user ids), ``image``, ``link``, ``code``, ``buttons``.

    An image has ``file`` and ``alt``, a link ``url`` and ``words``, a button ``label``, ``line``, ``form``, ``style``.
    """
    given = content.get("lines") or content.get("text") or ()
    lines = [given] if isinstance(given, str) else [str(line) for line in given]
    rung = " ".join(mention(str(one)) for one in list(content.get("mention") or ())[:MENTIONED])
    shown = [said(line, 1500) for line in lines if line.strip()]
    if rung:
        shown[:1] = [f"{rung} {shown[0]}" if shown else rung]
    blocks = sections(shown, limit=8000)
    if shown_file := content.get("image"):
        blocks.append(image(str(shown_file["file"]), str(shown_file["alt"])))
    if linked := content.get("link"):
        blocks.append(section(link(str(linked["url"]), str(linked["words"]))))
    code = str(content.get("code") or "")
    if code.strip():
        blocks.append(section(preformatted(code.splitlines())))
    buttons = [
        (str(one.get("label", "")), str(one.get("line", "")), bool(one.get("form")), str(one.get("style") or ""))
        for one in content.get("buttons") or ()
    ]
    blocks += actions(line_buttons(buttons))
    text = fallback([*shown, *(escape(line, 300) for line in code.splitlines()[-10:])])
    return Message(text, blocks or [section("…")])
