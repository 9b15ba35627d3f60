"""What grows when it is unpacked, or nests without end: refused, and never held whole."""

from __future__ import annotations

import gzip
import hmac
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from aiohttp.test_utils import TestClient, TestServer

from chatops.http.server import LARGEST
from tests.http.test_openapi import TOKEN, Behind, documented, server

DOORS = sorted({path for path, _, _ in documented() if path.startswith("/hooks/")})
PACKED = {"gzip": gzip.compress, "deflate": zlib.compress}


def _keyed(body: bytes) -> dict[str, str]:
    """What opens every door, for a body as it is when unpacked."""
    made = hmac.digest(TOKEN.encode(), body, "sha256").hex()
    return {
        "Authorization": f"Bearer {TOKEN}", "X-Hub-Signature-256": f"sha256={made}", "X-Signature": f"sha256={made}",
        "X-PagerDuty-Signature": f"v1={made}", "X-GitHub-Event": "deployment_status",
        "Connection": "close",  # which the server does anyway after a body that it has not read to its end
    }  # fmt: skip


def _bomb() -> bytes:
    """96 MiB of blanks in half a MiB."""
    packing, blanks = zlib.compressobj(1), b" " * LARGEST
    return b"".join([*(packing.compress(blanks) for _ in range(6)), packing.flush()])


async def test_a_body_that_grows_beyond_the_limit_is_refused_and_not_held() -> None:
    bomb, headers = _bomb(), {**_keyed(b""), "Content-Encoding": "deflate"}
    async with TestClient(TestServer(server(Behind()).web)) as client:
        for path in ("/hooks/github", "/slack/events"):
            tracemalloc.start()
            try:
                async with client.post(path, data=bomb, headers=headers) as answer:
                    assert answer.status == 413
                # It is unpacked in pieces of 32 MiB, the first of which is too much.
                assert tracemalloc.get_traced_memory()[1] < 8 * LARGEST, path
            finally:
                tracemalloc.stop()


@pytest.mark.parametrize("encoding", sorted(PACKED))
async def test_what_is_packed_honestly_is_read_and_its_signature_is_that_of_what_was_packed(encoding: str) -> None:
    body = json.dumps({"name": "Backup"}).encode()
    pack: Callable[[bytes], bytes] = PACKED[encoding]
    async with TestClient(TestServer(server(Behind()).web)) as client:
        headers = {**_keyed(body), "Content-Encoding": encoding}
        async with client.post("/hooks/alert", data=pack(body), headers=headers) as answer:
            assert answer.status == 200
        event = json.dumps({"event": {"id": "1", "event_type": "pagey.ping"}}).encode()
        headers = {**_keyed(event), "Content-Encoding": encoding}
        async with client.post("/hooks/pagerduty", data=pack(event), headers=headers) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x"])
async def test_what_only_says_that_it_is_packed_is_no_failure(encoding: str) -> None:
    async with TestClient(TestServer(server(Behind()).web)) as client:
        for path in (*DOORS, "/slack/events"):
            body = b"\x1f\x8b not packed"
            async with client.post(path, data=body, headers={**_keyed(body), "Content-Encoding": encoding}) as answer:
                assert answer.status in (400, 401), path


async def test_json_nested_a_hundred_thousand_deep_is_malformed_at_every_door() -> None:
    async with TestClient(TestServer(server(Behind()).web)) as client:
        for body in (b"[" * 100_000, b'{"a":' * 100_000):
            for path in DOORS:
                async with client.post(path, data=body, headers=_keyed(body)) as answer:
                    assert answer.status == 400, path
