"""What the driver takes a person to see is what a phone would show."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rendering import mrkdwn, render_text

NAMES = {"U0LEE": "lee", "C0DEPLOYS": "deploys", "S0LEADS": "platform-leads"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*Deploy* _checkout_ ~1.4.1~ `1.4.2`", "Deploy checkout 1.4.1 1.4.2"),
        ("LOG_LEVEL and a*b*c stay", "LOG_LEVEL and a*b*c stay"),
        ("<@U0LEE> in <#C0DEPLOYS> with <!subteam^S0LEADS>", "@lee in #deploys with @platform-leads"),
        ("<@U404|zoe> <#C404|cave> <!here>", "@zoe #cave @here"),
        ("<https://a.test|the runbook> <https://b.test>", "the runbook https://b.test"),
        ("until <!date^1700000000^{time}|18:00>", "until 18:00"),
        ("&lt;b&gt; &amp;amp;", "<b> &amp;"),
        ("```a_b_ *c*```", "a_b_ *c*"),
    ],
)
def test_mrkdwn_is_read_without_its_marks(text: str, shown: str) -> None:
    assert mrkdwn(text, NAMES) == shown


def test_blocks_hide_the_fallback_text_and_show_fields_and_buttons() -> None:
    def plain(text: str) -> dict[str, Any]:
        return {"type": "plain_text", "text": text}

    button = {"type": "button", "text": plain("Approve")}
    blocks = [
        {"type": "section", "fields": [plain("Who: Dana"), plain("What: checkout")], "accessory": button},
        {"type": "divider"},
        {"type": "context", "elements": [plain("R-1"), {"type": "image", "alt_text": "ok", "image_url": "x"}]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "a"}, {"type": "raw_text", "text": "b"}]]},
        {
            "type": "input",
            "label": plain("Reason"),
            "element": {"type": "plain_text_input", "initial_value": "fixes"},
            "hint": plain("short"),
        },
    ]
    assert render_text({"type": "message", "text": "fallback", "blocks": blocks}).splitlines() == [
        "Who: Dana",
        "What: checkout",
        "[Approve]",
        "R-1 ok",
        "a | b",
        "Reason: fixes",
        "short",
    ]
