"""The client: a process of its own that posts payloads on keep-alive connections, so many at once.

``python -m bench.load FILE`` reads one JSON object: port, path, at_once, bodies (a list of form-encoded bodies, signed
with ``secret`` as Slack does; of JSON where there is a ``token``). It prints one JSON object: seconds, latencies
(seconds each), statuses (how often each).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def signed(body: str, secret: str, port: int) -> bytes:
    """One HTTP request as Slack sends it; https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    fields = {"Content-Type": "application/x-www-form-urlencoded", **signature(body, secret)}
    return posted("/slack/events", body, fields, port)


def signature(body: str, secret: str) -> dict[str, str]:
    """The fields that Slack signs a body with."""
    at = str(int(time.time()))
    made = hmac.new(secret.encode(), f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={made}"}


def posted(path: str, body: str, fields: Mapping[str, str], port: int) -> bytes:
    """One HTTP request."""
    raw = body.encode()
    every = {"Host": f"127.0.0.1:{port}", **fields, "Content-Length": str(len(raw))}
    head = "".join(f"{name}: {value}\r\n" for name, value in every.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + raw


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request on its way; leaner than a client library, so that it never limits."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """Sends a request; the status of its answer."""
        self._got = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or self._answer is None or self._answer.done():
            return
        fields = head.lower().split(b"\r\n")
        length = next((int(field[15:]) for field in fields if field.startswith(b"content-length:")), 0)
        if len(body) >= length:
            self._answer.set_result(int(fields[0].split()[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def close(self) -> None:
        self._transport.close()


async def fire(port: int, requests: list[bytes], at_once: int) -> dict[str, Any]:
    """Sends all, ``at_once`` at any moment, each connection its next one as soon as it was answered."""
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(at_once)]
    latencies: list[float] = []
    statuses: Counter[int] = Counter()

    async def work(connection: Connection, mine: Iterator[bytes]) -> None:
        for request in mine:
            begun = time.perf_counter()
            statuses[await connection.ask(request)] += 1
            latencies.append(time.perf_counter() - begun)

    waiting = iter(requests)
    begun = time.perf_counter()
    await asyncio.gather(*(work(connection, waiting) for connection in connections))
    seconds = time.perf_counter() - begun
    for connection in connections:
        connection.close()
    return {"seconds": seconds, "latencies": latencies, "statuses": {str(code): n for code, n in statuses.items()}}


def main() -> None:
    order = json.loads(Path(sys.argv[1]).read_text())
    port, path, token = order["port"], order["path"], order["token"]
    if token:
        fields = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        requests = [posted(path, body, fields, port) for body in order["bodies"]]
    else:
        requests = [signed(body, order["secret"], port) for body in order["bodies"]]
    print(json.dumps(asyncio.run(fire(order["port"], requests, order["at_once"]))))


if __name__ == "__main__":
    main()
