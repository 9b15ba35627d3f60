"""Finding things: the catalog, logs and diagnoses, as an on-call person meets them in Slack."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.house import REQUESTS, House, acme_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    def stays_broken(content: dict[str, Any]) -> None:
        content["environments"]["staging"]["rollback"] = "manual"

    async with acme_house(platform=stays_broken) as house:
        yield house


def chatter(house: House, service: str, lines: int) -> None:
    """Every pod of a service in production writes some lines."""
    for pod in house.cluster.store.objects(("", "pods"), "shop"):
        run = house.cluster.book.current(pod["metadata"]["uid"], "app")
        if run is not None and pod["metadata"]["labels"].get("app") == service:
            run.write([f"INFO  order {number} password=hunter2-and-more" for number in range(lines)])


async def test_from_the_list_over_the_page_to_the_cause(house: House) -> None:
    await house.dana.types("/platform deploy checkout 1.5.0-crash staging because trying it")
    await house.dana.sees(REQUESTS, "FAILED")
    await house.olu.types("/platform services checkout")
    listed = await house.olu.sees("general", "Services", "checkout · shop · Takes the money")
    await listed.click("checkout")
    page = await house.olu.sees("general", "Owner: team shop", "On call: shop-rota:", "❌ staging", "✅ production")
    assert "1.5.0-crash in staging by Dana" in page.text
    await page.click("Diagnose")
    found = await house.olu.sees("general", "Likely cause:", "KeyError: 'PAYMENT_URL'", "What I looked at")
    assert found.buttons == ["Roll back", "Logs", "Look again"]
    await found.click("Logs")
    await house.olu.sees("general", "Logs of checkout in staging")
    await house.dana.never_sees("general", "Likely cause")


async def test_logs_asked_for_in_public_are_answered_to_who_asked_alone(house: House) -> None:
    await house.attending()
    await house.dana.types("@platform logs checkout production", channel=REQUESTS)
    await house.dana.sees(REQUESTS, "Logs of checkout in production", "INFO ")
    await house.lee.never_sees(REQUESTS, "Logs of checkout")


async def test_long_logs_come_as_a_file_into_direct_messages_and_into_no_table(house: House) -> None:
    chatter(house, "cart", 200)
    await house.dana.types("/platform logs cart production lines=5000")
    said = await house.dana.sees("general", "Logs of cart in production", "in a file that I sent you")
    assert "order 199" in said.text
    await house.dana.sees("@platform", "Logs of cart in production")
    [upload] = await house.sandbox.traffic("files.completeUploadExternal")
    assert upload["request"]["channel_id"].startswith("D")
    await house.quiet()
    rows = await house.rows("SELECT content FROM posts")
    assert any("order 199" in row["content"] for row in rows)
    assert not any("order 17 " in row["content"] or "hunter2" in row["content"] for row in rows)


async def test_when_slack_takes_no_files_the_newest_lines_are_still_there(house: House) -> None:
    chatter(house, "cart", 200)
    await house.sandbox.fault("error", method="files.getUploadURLExternal", error="internal_error", times=20)
    await house.dana.types("/platform logs cart production")
    await house.dana.sees("general", "Logs of cart in production", "order 199", "does not take files just now")


async def test_a_service_that_nobody_knows_gets_a_suggestion(house: House) -> None:
    await house.dana.types("/platform logs chekout production")
    said = await house.dana.sees("general", "There is no service called 'chekout'")
    assert "Use checkout" in said.buttons
