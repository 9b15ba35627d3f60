"""One-time pages under attack: whoever has the link, a cookie, a code or a form of their own gets nowhere with it."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from chatops.adapters.kubernetes import Patience
from chatops.requests.pages import Pages
from tests.support.databases import everything_in
from tests.support.house import House, acme_house
from tests.support.onetime import Browser, approved, code_on, confirmed, link_for, values

CANARY = "canary-Gx7-Qm2Zt9-vault"
LINE = "/platform secret set checkout production API_KEY because the vendor renewed it"
WRITE = {"verb": "patch", "resource": "secrets", "dry_run": False}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(patience=Patience(total=0.3, tries=2, pause=0.01, longest_pause=0.05)) as house:
        yield house


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[str], Browser]]:
    browsers: list[Browser] = []

    def make(url: str) -> Browser:
        browsers.append(Browser(url))
        return browsers[-1]

    yield make
    for one in browsers:
        await one.session.close()


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Every line of every logger, as the log's formatter would write it, tracebacks too."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter().format(record))

    handler, root = Keep(level=logging.DEBUG), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    root.setLevel(before)


Open = Callable[[str], Browser]


async def everything_written(house: House, logged: list[str]) -> bytes:
    """The bytes of the database and of all files, all that Slack got, the metrics and the log."""
    files = [one.read_bytes() for one in sorted(Path(house.folder).rglob("*")) if one.is_file()]
    files.append(everything_in(house.folder))
    assert len(files[-1]) > 10_000, "the database is among them"
    async with house.sandbox.session.get(f"{house.assistant.http.address}/metrics") as answer:
        metrics = await answer.read()
    slack = repr(house.slack.state.messages) + repr(await house.rows("SELECT * FROM audit"))
    return b"\0".join([*files, metrics, slack.encode(), "\n".join(logged).encode()])


def traces(value: str) -> list[bytes]:
    """A value as it could show up: as it is, encoded for a form, or in base64 at each of the three offsets."""
    raw = value.encode()
    return [raw, quote(value).encode(), *(base64.b64encode(b" " * pad + raw)[4:-4] for pad in range(3))]


# where the value goes ----------------------------------------------------------------------------------------------


async def test_the_value_and_the_token_stand_nowhere_even_when_everything_goes_wrong_first(
    house: House, opened: Open, logged: list[str]
) -> None:
    card = await approved(house, LINE)
    url = await link_for(house.dana)
    hers = opened(url)
    await confirmed(house, hers)
    echo = f'admission webhook "vault" denied the request: {CANARY} ({base64.b64encode(CANARY.encode()).decode()})'
    for trouble, status in ((403, 403), (422, 403), (409, 503), (500, 503), (429, 503), ("hang", 503), ("drop", 503)):
        house.cluster.fault(trouble, times=None, message=echo, **WRITE)
        said = await hers.sends(CANARY)
        assert hers.status == status, trouble
        assert "Not stored" in said
        assert CANARY not in said, "a page on a screen is read by others as well"
        house.cluster.faults.clear()
    assert "The form can" in await hers.posts(b"value=" + CANARY.encode() + b"%ff")
    assert "longer than" in await hers.sends(CANARY * 20_000)
    assert "Stored" in await hers.sends(CANARY)
    await card.becomes("SUCCEEDED")
    assert await values(house) == {"API_KEY": CANARY}
    await house.quiet()
    found = await everything_written(house, logged)
    assert not [trace for trace in traces(CANARY) if trace in found]
    token = url.rpartition("/")[2]
    assert not [line for line in logged if token in line], "whoever reads the log must not be able to open the page"
    rows = repr([await house.rows(f"SELECT * FROM {name}") for name in ("posts", "pages", "page_visits", "audit")])
    assert token not in rows
    session = next(iter(hers.session.cookie_jar)).value
    assert session not in rows


async def test_a_defect_of_ours_tells_the_log_where_but_not_what(
    house: House, opened: Open, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await approved(house, LINE)
    hers = opened(await link_for(house.dana))
    await confirmed(house, hers)

    async def broken(pages: Pages, token: str, session: str, value: str) -> str:
        raise KeyError(value)

    monkeypatch.setattr(Pages, "give", broken)
    assert "It is our fault" in await hers.sends(CANARY)
    assert hers.status == 500
    assert any("KeyError" in line and "pages.py" in line for line in logged)
    assert not [line for line in logged if CANARY in line]


# who may send ------------------------------------------------------------------------------------------------------


async def test_a_form_from_another_site_is_refused_with_the_right_cookie_too(house: House, opened: Open) -> None:
    await approved(house, LINE)
    url = await link_for(house.dana)
    hers = opened(url)
    await confirmed(house, hers)
    for headers in (
        {"Origin": "https://evil.test"}, {"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"}, {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    ):  # fmt: skip
        assert "did not come from the page itself" in await hers.sends("theirs", **headers)
        assert hers.status == 403
    own = url.split("/page/")[0]
    assert "It is stored" in await hers.sends("mine", Origin=own, **{"Sec-Fetch-Site": "same-origin"})
    assert await values(house) == {"API_KEY": "mine"}


async def test_the_cookie_is_for_this_page_alone_and_for_no_script(house: House, opened: Open) -> None:
    await approved(house, LINE)
    hers = opened(await link_for(house.dana))
    await hers.opens(**{"X-Forwarded-Proto": "https"})
    told = hers.headers["Set-Cookie"]
    token = hers.url.rpartition("/")[2]
    assert all(one in told for one in ("HttpOnly", "Secure", "SameSite=Lax", f"Path=/page/{token}"))
    assert "Domain" not in told


async def test_below_a_path_of_its_own_and_with_tls_the_cookie_comes_back(house: House, opened: Open) -> None:
    house.assistant.pages.public_url = lambda: "https://tools.acme.test/platform"
    await approved(house, LINE)
    said = await house.dana.sees("@platform", "https://tools.acme.test/platform/page/")
    token = said.text.partition("/platform/page/")[2].split()[0].strip("<>|.,")
    hers = opened(f"{house.assistant.http.address}/page/{token}")
    await hers.opens(Host="evil.test")
    told = hers.headers["Set-Cookie"]
    assert f"Path=/platform/page/{token}" in told
    assert "Secure" in told


async def test_a_forged_host_changes_nothing_that_is_said_or_linked(house: House, opened: Open) -> None:
    await approved(house, LINE)
    hers = opened(await link_for(house.dana))
    page = await hers.opens(Host="evil.test", **{"X-Forwarded-Host": "evil.test"})
    assert "evil.test" not in page + repr(hers.headers)
    await house.dana.sees("@platform", f"does your page show {code_on(page)}?")
    assert "evil.test" not in house.dana.screen("@platform")


async def test_what_only_looks_at_the_link_makes_no_code_and_asks_nobody(house: House, opened: Open) -> None:
    await approved(house, LINE)
    url = await link_for(house.dana)
    for method in ("HEAD", "OPTIONS", "PUT"):
        async with house.sandbox.session.request(method, url) as answer:
            assert answer.status == 405
    assert await house.rows("SELECT session FROM page_visits") == []


async def test_a_browser_without_cookies_is_told_so_instead_of_asking_in_slack_for_ever(
    house: House, opened: Open
) -> None:
    await approved(house, LINE)
    hers = opened(await link_for(house.dana))
    page = await hers.opens()
    assert 'content="2;url=?again"' in page
    hers.session.cookie_jar.clear()
    assert "This browser keeps no cookies" in await hers.opens("?again")
    assert len(await house.rows("SELECT session FROM page_visits")) == 1


async def test_opening_without_end_asks_in_slack_only_so_often(house: House, opened: Open) -> None:
    await approved(house, LINE)
    url = await link_for(house.dana)
    answers = []
    for _ in range(25):
        stranger = opened(url)
        answers.append("gone" if "This page is gone" in await stranger.opens() else "code")
    assert answers == ["code"] * 20 + ["gone"] * 5


async def test_two_tabs_share_the_code_and_only_the_first_value_counts(house: House, opened: Open) -> None:
    card = await approved(house, LINE)
    hers = opened(await link_for(house.dana))
    code = code_on(await hers.opens())
    assert code_on(await hers.opens()) == code
    await confirmed(house, hers)
    held = house.cluster.fault("hang", **WRITE)
    first = asyncio.create_task(hers.sends("first"))
    await house.until(lambda: held.hits == 1)
    assert "A value is being stored just now" in await hers.sends("second")
    house.cluster.faults.clear()
    said = await first
    if "It is stored" not in said:  # it was cut off: nothing is held any more
        assert "It is stored" in await hers.sends("first")
    await card.becomes("SUCCEEDED")
    assert "A value was stored already" in await hers.sends("third")
    assert await values(house) == {"API_KEY": "first"}


async def test_the_link_used_a_second_time_shows_nothing_and_leads_nowhere(house: House, opened: Open) -> None:
    card = await approved(house, LINE)
    url = await link_for(house.dana)
    hers = opened(url)
    await confirmed(house, hers)
    await hers.sends("mine")
    await card.becomes("SUCCEEDED")
    late = opened(url)
    assert "This page is gone" in await late.opens()
    assert late.status == 404
    assert "not confirmed" in await late.sends("theirs")
    await house.quiet()
    await house.dana.sees("@platform", "The value is stored.")
    await house.dana.catches_up()
    assert url not in house.dana.screen("@platform"), "a dead link only invites clicks"
    assert "Yes," not in house.dana.screen("@platform")


async def test_after_ten_minutes_the_confirmed_browser_is_too_late_as_well(house: House, opened: Open) -> None:
    await approved(house, LINE)
    hers = opened(await link_for(house.dana))
    await confirmed(house, hers)
    house.clock.advance(10 * 60 + 1)
    assert "This page is closed" in await hers.sends("late")
    assert "This page is gone" in await hers.opens()
    found = [one for one in house.cluster.log.after() if one["verb"] == "patch" and one["resource"] == "secrets"]
    assert not [one for one in found if not one["dryRun"]]


async def test_a_token_or_a_cookie_that_is_guessed_tells_nothing(house: House, opened: Open) -> None:
    await approved(house, LINE)
    url = await link_for(house.dana)
    address = url.split("/page/")[0]
    for token in ("x", "A" * 43, "..%2f..%2fmetrics", "%00", "é" * 20, "1" * 4000):
        stranger = opened(f"{address}/page/{token}")
        assert "This page is gone" in await stranger.opens()
        assert "not confirmed" in await stranger.sends("theirs")
        assert "Set-Cookie" not in stranger.headers
    hers = opened(url)
    await confirmed(house, hers)
    forged = opened(url)
    for cookie in ("page=", "page=x", "page=" + "A" * 43, 'page="; DROP TABLE pages"'):
        assert "not confirmed" in await forged.sends("theirs", Cookie=cookie)


async def test_while_writes_are_paused_a_value_waits_too(house: House, opened: Open) -> None:
    card = await approved(house, LINE)
    hers = opened(await link_for(house.dana))
    await confirmed(house, hers)
    await house.olu.types("/platform pause because the cluster is being moved")
    await house.olu.sees("general", "paused")
    said = await hers.sends("mine")
    assert "the cluster is being moved" in said
    assert hers.status == 503
    await house.olu.types("/platform resume")
    await house.olu.sees("general", "New writes go on")
    assert "It is stored" in await hers.sends("mine")
    await card.becomes("SUCCEEDED")


# what may be sent --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("line\r\nline\r\n", "line\nline\n"), (" spaces kept ", " spaces kept "), ("nul\0inside", "nul\0inside"),
        ("Grüße 🔑 \u202e", "Grüße 🔑 \u202e"), ("${1+1} {{ 7*7 }} %s <b>&amp;", "${1+1} {{ 7*7 }} %s <b>&amp;"),
        ("k" * 256 * 1024, "k" * 256 * 1024),
    ],
    ids=["line ends", "spaces", "NUL", "Unicode", "templates", "as large as may be"],
)  # fmt: skip
async def test_a_value_is_kept_to_the_letter(house: House, opened: Open, typed: str, stored: str) -> None:
    await approved(house, LINE)
    hers = opened(await link_for(house.dana))
    await confirmed(house, hers)
    said = await hers.sends(typed)
    assert "It is stored" in said
    assert ("Its last character is a line break" in said) == stored.endswith("\n")
    assert await values(house) == {"API_KEY": stored}


async def test_what_is_no_form_of_ours_is_refused_and_the_page_stays_usable(house: House, opened: Open) -> None:
    await approved(house, LINE)
    hers = opened(await link_for(house.dana))
    await confirmed(house, hers)

    async def endless() -> AsyncIterator[bytes]:
        yield b"value="
        for _ in range(64):
            yield b"x" * 65536

    part = b'--b\r\nContent-Disposition: form-data; name="value"; filename="k"\r\n\r\nsecret\r\n--b--\r\n'
    bodies: list[tuple[Any, str, int]] = [
        (b"value=", "application/x-www-form-urlencoded", 422), (b"", "application/x-www-form-urlencoded", 400),
        (b"value=x%ff", "application/x-www-form-urlencoded", 400),
        (b"value=\xff", "application/x-www-form-urlencoded", 400),
        (b"value=a&value=b", "application/x-www-form-urlencoded", 400),
        (b"other=a", "application/x-www-form-urlencoded", 400),
        (b"value=" + b"x" * (256 * 1024 + 1), "application/x-www-form-urlencoded", 422),
        (b"value=" + b"x" * 1024 * 1024, "application/x-www-form-urlencoded", 413),
        (endless(), "application/x-www-form-urlencoded", 413),
        (part, "multipart/form-data; boundary=b", 415), (b'{"value": "x"}', "application/json", 415),
        (b"value=x", "application/x-www-form-urlencoded; charset=nothing", 200),
    ]  # fmt: skip
    for body, kind, status in bodies:
        assert "<h1>" in await hers.posts(body, kind)
        assert hers.status == status, (body[:30] if isinstance(body, bytes) else "endless", kind)
        assert hers.headers["Cache-Control"] == "no-store"
    assert await values(house) == {"API_KEY": "x"}


async def test_every_answer_forbids_being_kept_framed_or_referred_from(house: House, opened: Open) -> None:
    await approved(house, LINE)
    hers = opened(await link_for(house.dana))
    await hers.opens()
    seen = [hers.headers]
    await hers.sends("too early")
    seen.append(hers.headers)
    await opened(hers.url + "x").opens()
    for headers in seen:
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
