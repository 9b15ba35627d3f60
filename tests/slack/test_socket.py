"""Socket Mode that gets up again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from chatops.kernel.action import Answer
from chatops.slack.socket import Socket
from tests.slack.desk import Desk, desk


async def until(condition: Callable[[], bool], within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


async def answers(acme: Desk) -> None:
    acme.road.plan("answer", Answer("checkout", ("1.4.1 healthy",)))
    await acme.dana.types("/platform status checkout")
    await acme.dana.sees("general", "1.4.1 healthy")


async def test_a_connection_that_was_cut_is_made_anew(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await answers(acme)
        [old] = acme.slack.socket.connections
        acme.slack.socket.cut()
        await until(lambda: acme.slack.socket.connections not in ([], [old]))
        await answers(acme)


async def test_slacks_refresh_is_followed(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        [old] = acme.slack.socket.connections
        await acme.slack.socket.refresh()
        await until(lambda: old not in acme.slack.socket.connections and len(acme.slack.socket.connections) == 1)
        await answers(acme)


async def test_while_slack_is_away_we_come_back_with_new_tickets(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        await acme.sandbox.fault("away")
        acme.slack.socket.cut()
        await until(lambda: not acme.slack.socket.connections)
        await acme.sandbox.repair()
        await until(lambda: len(acme.slack.socket.connections) == 1)
        await answers(acme)


async def test_a_spent_ticket_is_not_tried_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path) as acme:
        given = acme.slack.socket.ticket
        tickets: list[str] = []

        def spent() -> str:
            tickets.append(given())
            if len(tickets) < 3:
                acme.slack.socket._tickets.clear()
            return tickets[-1]

        monkeypatch.setattr(acme.slack.socket, "ticket", spent)
        socket = Socket(acme.front.app, acme.client, "xapp-local-app", acme.metrics, connections=1, handshake=0.2)
        await socket.open()
        try:
            await asyncio.wait_for(socket.connected(), 10)
        finally:
            await socket.close()
        assert len(tickets) == 3


async def test_a_wrong_app_token_is_said_in_the_log_and_keeps_trying(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(tmp_path) as acme:
        up: list[str] = []
        socket = Socket(
            acme.front.app, acme.client, "xapp-wrong-token-1234", acme.metrics, connections=1, up=lambda: up.append("x")
        )
        await socket.open()
        try:
            tries = "apps.connections.open"
            await until(lambda: sum(tries in str(one) for one in acme.slack.traffic.after(0)) >= 4)
            assert caplog.text.count("the app token (SLACK_APP_TOKEN, xapp-…): invalid_auth") == 1
            assert caplog.text.count("invalid_auth") == 1  # and the SDK does not say so at every attempt
        finally:
            await socket.close()
        assert up == []
        assert "xapp-wrong-token-1234" not in caplog.text


async def test_tickets_stay_out_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with desk(tmp_path) as acme:
        ticket = acme.slack.socket.ticket()
        logger = logging.getLogger("chatops.slack.socket.sdk")
        logger.error("Failed to connect (wss://wss.slack.com/link/?ticket=%s)", ticket)
        assert ticket not in caplog.text
        assert "ticket=[masked]" in caplog.text


async def test_two_connections_share_the_work_and_one_goes_on_alone(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        socket = Socket(acme.front.app, acme.client, "xapp-local-app", acme.metrics, connections=2)
        await socket.open()
        await until(lambda: len(acme.slack.socket.connections) == 3)
        await socket.close()
        await until(lambda: len(acme.slack.socket.connections) == 1)
        await answers(acme)


def test_waits_grow_and_end_at_half_a_minute() -> None:
    waits = [Socket._wait(failures) for failures in range(12)]
    assert waits[0] < 0.3
    assert all(wait <= 30.0 for wait in waits)
    assert waits[-1] >= 15.0
