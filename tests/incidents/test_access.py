"""The logins with which Alertmanager and Prometheus are called, and what is said when they are turned away."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, encode_basic_auth, web
from aiohttp.test_utils import TestServer

from chatops.adapters.access import Access
from chatops.adapters.alertmanager import Alertmanager
from chatops.adapters.prometheus import Prometheus
from chatops.kernel.catalog import Endpoint, Reference
from chatops.kernel.errors import Refused, Unavailable
from tests.support.monitors import alertmanager, prometheus

SECRET = "night-owls-sing"
# Of SECRET, by bcrypt with 2^4 rounds; Prometheus and Alertmanager keep no other form of a password
HASHED = "$2b$04$.NWKrc/oy4qcsaVRXmKxEuK8jlH0KC78ikkMQjy8MxNojYRY6bauC"
BEARER = f"Bearer {SECRET}"
BASIC = encode_basic_auth("chatops", SECRET)


@asynccontextmanager
async def guarded(wanted: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[str]]]:
    """Both monitors at one address, which answers 401 to any other ``Authorization``; and what it was sent."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        if seen[-1] != wanted:
            return web.Response(status=401, text=f"not with {seen[-1]}")
        return web.json_response({"silenceID": "17", "status": "success"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app)
    await server.start_server(ssl=tls)
    try:
        yield str(server.make_url("/")), seen
    finally:
        await server.close()


async def silenced(endpoint: Endpoint) -> str:
    async with ClientSession() as session:
        return await Alertmanager(lambda: endpoint, lambda: session).silence([], 1.0, 2.0, "Olu", "INC-1")


async def asked(endpoint: Endpoint) -> bytes | None:
    async with ClientSession() as session:
        return await Prometheus(lambda: endpoint, lambda: session).query_range("vector(1)", 0, 60, 15)


async def test_a_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_TOKEN", SECRET)
    async with guarded(BEARER) as (url, _):
        endpoint = Endpoint(name="alertmanager", url=url, token=Reference(env="MONITOR_TOKEN"))
        assert (await silenced(endpoint)).endswith("/#/silences/17")
        assert await asked(endpoint)


async def test_a_token_in_a_file_is_read_anew_for_each_call(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("the old one\n")
    async with guarded(BEARER) as (url, seen):
        endpoint = Endpoint(name="prometheus", url=url, token=Reference(file=str(file)))
        with pytest.raises(Unavailable, match="Prometheus does not accept the login"):
            await asked(endpoint)
        file.write_text(f"{SECRET}\n")
        assert await asked(endpoint)
        assert seen == ["Bearer the old one", BEARER], "a login that was turned away is not sent again at once"


async def test_a_user_and_a_password_are_basic_authentication(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_PASSWORD", SECRET)
    async with guarded(BASIC) as (url, _):
        endpoint = Endpoint(name="x", url=url, user="chatops", password=Reference(env="MONITOR_PASSWORD"))
        assert await silenced(endpoint)
        assert await asked(endpoint)


async def test_a_401_says_what_to_do_and_never_the_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MONITOR_TOKEN", SECRET)
    async with guarded("Bearer another") as (url, seen):
        with pytest.raises(Refused) as no:
            await silenced(Endpoint(name="alertmanager", url=url))
        assert no.value.message == (
            "Alertmanager asks for a login (401): `alertmanager: {token: …}` in platform.yml gives it one;"
            " nothing is silenced."
        )
        wrong = Endpoint(name="alertmanager", url=url, token=Reference(env="MONITOR_TOKEN"))
        with pytest.raises(Refused) as no:
            await silenced(wrong)
        said = "Alertmanager does not accept the login that `alertmanager` in platform.yml names (401)"
        assert no.value.message == f"{said}; nothing is silenced."
        with pytest.raises(Unavailable) as later:
            await asked(wrong)
        assert seen == ["", BEARER, BEARER]
        told = f"{no.value!r} {later.value!r} {caplog.text} {await Access.to(wrong)!r} {wrong!r}"
        assert SECRET not in told


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "FileNotFoundError"), (b"\n", "it is empty or not there"), (b"\xff\xfe", "UnicodeDecodeError"),
     (b"night\r\nX-Owl: sings", "it holds what no header can carry"), ("näht".encode(), "what no header can carry")],
)  # fmt: skip
async def test_a_secret_that_cannot_be_read_is_said_and_nobody_is_called(
    content: bytes | None, said: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    async with guarded(BEARER) as (url, seen):
        endpoint = Endpoint(name="prometheus", url=url, token=Reference(file=str(tmp_path / "token")))
        for call in (silenced, asked):
            with pytest.raises(Refused, match=said) as no:
                await call(endpoint)
            assert no.value.message.startswith(f"The token of `prometheus` can't be read from {tmp_path}/token")
            assert "sings" not in no.value.message
        assert seen == []


async def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MONITOR_TOKEN", raising=False)
    endpoint = Endpoint(name="prometheus", url="http://127.0.0.1:9", token=Reference(env="MONITOR_TOKEN"))
    with pytest.raises(Refused, match="from the environment variable MONITOR_TOKEN: it is empty or not there"):
        await asked(endpoint)


async def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    program = shutil.which("openssl") or pytest.skip("needs openssl on the PATH: apt-get install openssl")
    made, key = folder / "ca.pem", folder / "key.pem"
    process = await asyncio.create_subprocess_exec(
        program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0
    return made, key


async def test_a_certificate_of_ones_own_authority_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    ca, key = await certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(ca, key)
    async with guarded("", tls) as (url, seen):
        assert url.startswith("https://")
        with pytest.raises(Refused, match="Alertmanager shows a certificate that is not trusted; nothing is silenced"):
            await silenced(Endpoint(name="alertmanager", url=url))
        with pytest.raises(Unavailable, match="Prometheus shows a certificate that is not trusted"):
            await asked(Endpoint(name="prometheus", url=url))
        assert seen == []
        trusting = Endpoint(name="alertmanager", url=url, ca=str(ca))
        assert await silenced(trusting)
        assert await asked(trusting)
    for missing in (tmp_path / "gone.pem", key):
        with pytest.raises(Refused, match="The ca of `prometheus` can't be read"):
            await asked(Endpoint(name="prometheus", url=url, ca=str(missing)))


async def test_the_real_ones_let_us_in_by_tls_and_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca, key = await certificate(tmp_path)
    web_config = tmp_path / "web.yml"
    web_config.write_text(f"""
tls_server_config: {{cert_file: "{ca}", key_file: "{key}"}}
basic_auth_users: {{chatops: "{HASHED}"}}
""")
    monkeypatch.setenv("MONITOR_PASSWORD", SECRET)
    login: dict[str, Any] = {"user": "chatops", "password": Reference(env="MONITOR_PASSWORD"), "ca": str(ca)}
    async with (
        alertmanager(tmp_path, "http://127.0.0.1:9", "x", guard=web_config) as silencer,
        prometheus(tmp_path, "groups: []", "127.0.0.1:9", guard=web_config) as monitor,
    ):
        answer = await asked(Endpoint(name="prometheus", url=monitor, **login))
        assert answer is not None
        assert b'"success"' in answer
        with pytest.raises(Unavailable, match="Prometheus asks for a login"):
            await asked(Endpoint(name="prometheus", url=monitor, ca=str(ca)))
        async with ClientSession() as session:
            endpoint = Endpoint(name="alertmanager", url=silencer, **login)
            one = Alertmanager(lambda: endpoint, lambda: session)
            matchers = [{"name": "service", "value": "checkout", "isRegex": False, "isEqual": True}]
            address = await one.silence(matchers, 4e9, 4e9 + 60, "Olu", "INC-1")
            assert address.startswith(f"{silencer}/#/silences/")
            await one.end(address)
        with pytest.raises(Refused, match="Alertmanager asks for a login"):
            await silenced(Endpoint(name="alertmanager", url=silencer, ca=str(ca)))
