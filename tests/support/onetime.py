"""One-time pages from outside: browsers, the link and the code, and what the cluster has in the end."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import urlencode

import aiohttp

from tests.support.house import REQUESTS, House
from tests.support.people import Person, Seen

SECRET = "/api/v1/namespaces/shop/secrets/checkout-secrets"
FORM = "application/x-www-form-urlencoded"


class Browser:
    """One browser with its cookies."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.status = 0
        self.headers: Any = {}

    async def opens(self, query: str = "", **headers: str) -> str:
        async with self.session.get(self.url + query, headers=headers) as answer:
            self.status, self.headers = answer.status, answer.headers
            return await answer.text()

    async def sends(self, value: str, **headers: str) -> str:
        return await self.posts(urlencode({"value": value}).encode(), **headers)

    async def posts(self, body: bytes, content_type: str = FORM, **headers: str) -> str:
        """Any bytes as a form."""
        headers = {"Content-Type": content_type, **headers}
        async with self.session.post(self.url, data=body, headers=headers) as answer:
            self.status, self.headers = answer.status, answer.headers
            return await answer.text()


async def approved(house: House, line: str) -> Seen:
    """Asked by Dana, approved by the two that danger takes."""
    await house.dana.types(line)
    card = await house.lee.sees(REQUESTS, "WAITING", "one key")
    await card.click("Approve")
    card = await house.sam.sees(REQUESTS, "WAITING", "one key")
    await card.click("Approve")
    return card


async def link_for(person: Person) -> str:
    said = await person.sees("@platform", "Give the value on this page")
    found = re.search(r"http://[^\s|>]+/page/[\w-]+", said.text)
    assert found, said.text
    return found[0]


def code_on(page: str) -> str:
    found = re.search(r'class="code">(\d{3} \d{3})<', page)
    assert found, page
    return found[1]


async def values(house: House) -> dict[str, str]:
    found = await house.cluster_call("GET", SECRET)
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


async def confirmed(house: House, browser: Browser) -> None:
    """Dana opens the page in this browser and says in Slack that its code is hers."""
    code = code_on(await browser.opens())
    await (await house.dana.sees("@platform", f"does your page show {code}?")).click(f"Yes, {code} is mine")
    await house.dana.sees("@platform", "the page shows the field now")
