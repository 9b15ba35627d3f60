"""What Slack sends of people, sent again in hostile variants: always acknowledged, and no secret of it is kept."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.fire import hostile
from tests.support.databases import everything_in
from tests.support.house import REQUESTS, House, acme_house
from tests.support.thoroughness import EVERYTHING, MINUTES, USUAL

VARIANTS = round(1000 * MINUTES / USUAL)
WORDS = ("text", "value", "private_metadata")  # where people's own words are, and what somebody may have tampered with
TOKEN = hostile.SECRETS[0]


async def _recorded(house: House) -> list[dict[str, Any]]:
    """A line, a form, a mention and clicks, as Slack delivers them."""
    app, seen = house.assistant.front.app, []
    taking = app.take_in

    async def take_in(payload: dict[str, Any], headers: Any) -> Any:
        seen.append(json.loads(json.dumps(payload)))
        return await taking(payload, headers)

    app.take_in = take_in  # type: ignore[method-assign]
    await house.dana.types("/platform deploy checkout")
    form = await house.dana.modal(title="Deploy")
    await form.fill(Environment="production", Version="1.4.2", Reason="fixes the cart")
    assert await form.submit() == {}
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Full diff")
    await card.click("Reject")
    why = await house.lee.modal(title="Reject R-1001")
    await why.fill(Reason="not today")
    assert await why.submit() == {}
    await house.quiet()
    app.take_in = taking  # type: ignore[method-assign]
    return seen


@pytest.mark.fire
@pytest.mark.skipif(not EVERYTHING, reason="takes half a minute: make fire")
async def test_hostile_variants_of_what_people_do_are_acknowledged_and_nothing_of_a_secret_is_kept(
    record_property: Callable[[str, object], None], caplog: pytest.LogCaptureFixture
) -> None:
    random = Random(1)
    async with acme_house() as house:
        payloads = await _recorded(house)
        kinds = {str(one.get("type") or "command") for one in payloads}
        assert kinds >= {"command", "view_submission", "block_actions"}
        app, began = house.assistant.front.app, asyncio.get_running_loop().time()
        for keys in (WORDS, ()):
            for _ in range(VARIANTS // 2):
                variant = hostile.changed(random.choice(payloads), random, shape=False, keys=keys)
                answer = await app.take_in(variant, {})
                assert answer.status in ((200,) if keys else (200, 404)), variant  # 404: of a type that there is not
            await house.quiet()
            if keys:  # ids are Slack's own
                assert TOKEN.encode() not in everything_in(house.folder)
                assert [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR] == []
        spent = asyncio.get_running_loop().time() - began
        await house.history()  # the audit trail verifies
        record_property("said", f"hostile clicks: {VARIANTS} variants of {len(payloads)} deliveries in {spent:.0f} s")
