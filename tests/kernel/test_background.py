"""Work that goes on beside."""

from __future__ import annotations

import asyncio

import pytest

from chatops.kernel.background import Background


async def test_what_has_a_key_runs_once_at_a_time() -> None:
    background, done, gate = Background(), [], asyncio.Event()

    async def work(name: str) -> None:
        await gate.wait()
        done.append(name)

    background.spawn(work("first"), key=101)
    background.spawn(work("second"), key=101)
    background.spawn(work("another"), key=102)
    assert len(background) == 2
    gate.set()
    await background.idle()
    background.spawn(work("third"), key=101)
    await background.idle()
    assert done == ["first", "another", "third"]


async def test_after_closing_nothing_begins_any_more() -> None:
    background, begun = Background(), []

    async def forever() -> None:
        begun.append("forever")
        try:
            await asyncio.Event().wait()
        finally:
            background.spawn(late())

    async def late() -> None:
        begun.append("late")

    background.spawn(forever())
    await asyncio.sleep(0)
    await background.close()
    background.spawn(late())
    await background.idle()
    assert begun == ["forever"]
    assert not background


async def test_a_failure_is_seen_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    background = Background()

    async def fails() -> None:
        raise RuntimeError("no such thing")

    background.spawn(fails(), name="counting")
    await background.idle()
    await asyncio.sleep(0)
    assert "counting failed" in caplog.text
    assert "no such thing" in caplog.text
