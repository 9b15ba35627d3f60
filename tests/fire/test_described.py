"""Whatever docs/openapi.yml allows, and much that it does not, is sent to a running assistant, which does not fail."""

from __future__ import annotations

import asyncio
import hmac
import importlib.util
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from chatops.sandbox.slack.transport import signature
from tests.scenarios.test_over_http import free_port
from tests.support.house import HOOK_TOKEN, House, acme_house
from tests.support.thoroughness import EVERYTHING, MINUTES, USUAL

SPECIFICATION = Path(__file__).parents[2] / "docs" / "openapi.yml"
CASES = round(20 * MINUTES / USUAL)  # of each operation and kind of data, with what opens the door; a quarter without
SIGNED: Mapping[str, tuple[str, str]] = {
    "/hooks/github": ("X-Hub-Signature-256", "sha256="), "/hooks/flux": ("X-Signature", "sha256="),
    "/hooks/pagerduty": ("X-PagerDuty-Signature", "v1="),
}  # fmt: skip
OPEN = ("/healthz", "/readyz", "/metrics", "/page/{token}")


@dataclass(frozen=True, slots=True)
class Key:
    """Puts on a request what opens the door at ``path``, right or wrong, once its body is known (requests' own way)."""

    path: str
    token: str
    secret: str

    def __call__(self, request: Any) -> Any:
        body = request.body or b""
        body = body if isinstance(body, bytes) else str(body).encode()
        if self.path == "/slack/events":
            request.headers.update(signature(self.secret, body, int(time.time())))
        elif self.path in SIGNED:
            name, before = SIGNED[self.path]
            request.headers[name] = before + hmac.digest(self.token.encode(), body, "sha256").hex()
        elif self.path not in OPEN:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def _no_key(request: Any) -> Any:
    """Takes off what the page says that opens the door, and that was made up for it."""
    for name in ("Authorization", "X-Slack-Signature", *(name for name, _ in SIGNED.values())):
        request.headers.pop(name, None)
    return request


@dataclass
class Caller:
    """Calls every operation at an address; ``answers`` counts them by status."""

    address: str
    secret: str
    answers: Counter[int] = field(default_factory=Counter)

    def all(self) -> None:
        import schemathesis  # in CI and by hand: make fuzzers

        for found in schemathesis.openapi.from_path(str(SPECIFICATION)).get_all_operations():
            operation = found.ok()
            right = Key(operation.path, HOOK_TOKEN, self.secret)
            modes = list(schemathesis.GenerationMode)[
                : 2 if operation.method == "post" else 1
            ]  # wrong data needs a body
            for mode in modes:
                self._calls(operation.as_strategy(generation_mode=mode), CASES, self._answered(right))
            if operation.path not in OPEN:
                for key in (Key(operation.path, "wrong", "wrong"), _no_key):
                    strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
                    self._calls(strategy, max(1, CASES // 4), self._turned_away(key))

    def _calls(self, strategy: Any, most: int, call: Callable[[Any], None]) -> None:
        quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]

        @seed(1)
        @settings(max_examples=most, phases=[Phase.generate], suppress_health_check=quiet, database=None)
        @given(case=strategy)
        def calls(case: Any) -> None:
            call(case)

        calls()

    def _answered(self, key: Callable[[Any], Any]) -> Callable[[Any], None]:
        from schemathesis import checks
        from schemathesis.specs.openapi import checks as described

        asked = [
            checks.not_a_server_error, described.status_code_conformance, described.content_type_conformance,
            described.response_headers_conformance, described.response_schema_conformance,
        ]  # fmt: skip

        def call(case: Any) -> None:
            answer = case.call(base_url=self.address, auth=key, allow_redirects=False, timeout=30)
            self.answers[answer.status_code] += 1
            case.validate_response(answer, checks=asked)

        return call

    def _turned_away(self, key: Callable[[Any], Any]) -> Callable[[Any], None]:
        def call(case: Any) -> None:
            answer = case.call(base_url=self.address, auth=key, allow_redirects=False, timeout=30)
            self.answers[answer.status_code] += 1
            assert answer.status_code == 401, answer.text

        return call


@pytest.mark.fire
@pytest.mark.skipif(not EVERYTHING, reason="has no end of its own: make fire")
async def test_no_request_makes_the_assistant_fail_or_answer_what_is_not_documented(
    record_property: Callable[[str, object], None],
) -> None:
    if importlib.util.find_spec("schemathesis") is None:
        pytest.skip("needs schemathesis: make fuzzers")
    port = free_port()
    request_url = {"app": {"request_url": f"http://127.0.0.1:{port}/slack/events"}}
    async with acme_house(slack=request_url, http_port=port) as house:
        before = await _turned(house)
        caller = Caller(f"http://127.0.0.1:{port}", house.slack.state.workspace.app.signing_secret)
        await asyncio.to_thread(caller.all)
        assert caller.answers.keys() >= {200, 400, 401, 404}
        assert await _turned(house) >= before
        await house.history()  # the audit trail verifies
        record_property(
            "said", f"openapi: {sum(caller.answers.values())} requests, {dict(sorted(caller.answers.items()))}"
        )


async def _turned(house: House) -> int:
    """How many alerts are known: what had no right token adds none."""
    return int((await house.rows("SELECT count(*) AS n FROM alerts"))[0]["n"])
