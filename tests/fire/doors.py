"""Every parser of what others write, each as a door: what comes in as bytes, what it begins from, and how it is varied.

``enter`` raises ``AssertionError`` for a broken promise and whatever the parser itself should not have raised.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from chatops.adapters.configuration.folder import Loaded, load, parse
from chatops.adapters.configuration.problems import ConfigurationError
from chatops.http import payload
from chatops.incidents import unreadable
from chatops.incidents.sources import READERS, pagerduty
from chatops.kernel.action import Action, inputs_of
from chatops.kernel.alert import Unreadable
from chatops.kernel.errors import InputError
from chatops.kernel.masking import mask
from chatops.notices.sources import argocd, flux, github, own
from chatops.requests import line as lines
from chatops.requests import parse as inputs
from chatops.requests import reading
from chatops.requests.line import Line, Misread
from chatops.slack import errors, forms, ids, payloads
from chatops.slack.deciding import Decision
from chatops.slack.forms import Origin
from chatops.slack.mentions import people_in, unescape, without_mention
from chatops.slack.steps import steps_of
from commands import registry
from commands.declared import action_of
from tests.fire import hostile
from tests.incidents.test_sources import GRAFANA, NOTIFICATION
from tests.scenarios.test_outside_deploys import ARGOCD, BUILD, FLUX, GITHUB
from tests.support.github import release, workflow_run

ROOT = Path(__file__).parents[2]
ACME = ROOT / "examples" / "acme"
TESTS = ROOT / "tests"
LONGEST = 3.0  # seconds of computing for one input, however slow the instruments make it
Vary = Callable[[bytes, Random], bytes]


@dataclass(frozen=True, slots=True)
class Door:
    """``enter`` takes one input; ``seeds`` are what it is varied from."""

    enter: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    vary: Vary

    def timed(self, data: bytes) -> None:
        """The same, and that it came to an end soon."""
        began = time.process_time()
        self.enter(data)
        spent = time.process_time() - began
        assert spent < LONGEST, f"{spent:.1f} s for {len(data)} bytes"


@functools.cache
def acme() -> Loaded:
    """Acme's platform and every action, the declared ones too."""
    return load(ACME, registry.load(), action_of)


# ---- what is written in Slack


def _line(data: bytes) -> None:
    typed = data.decode("utf-8", "replace")
    text = without_mention(unescape(typed), "U0BOT")
    people_in(typed)
    kept = payloads.masked({"text": text})[0]["text"]
    assert not hostile.leaked(kept) or not _known(text), "a secret is kept"
    try:
        line = reading.parse(text, acme().actions, acme().platform)
    except Misread as wrong:
        line = wrong.line
        _said(wrong, form=text)
    _asked(line.action, line.values)


def _asked(name: str, values: Mapping[str, Any]) -> None:
    """What was understood becomes inputs or mistakes, and stands in a form."""
    action = acme().actions.get(name)
    if action is None:
        return
    with suppress(InputError):
        inputs.parse(action, values, acme().platform)
    inputs.valid_values(action, values)
    forms.form(action, acme().platform, acme().actions, values, Origin(action=name))
    assert len(ids.line_value(lines.write(action, Line(name, {key: str(one) for key, one in values.items()})))) <= 2000


def _said(wrong: InputError, form: str = "") -> None:
    answer = errors.answer(wrong, form=form)
    assert answer.title == "Not quite"
    assert all(answer.lines)


def _form(data: bytes) -> None:
    """A form as it comes back: hidden data and what stands in the fields are whatever somebody makes of them."""
    found = _json(data)
    origin = Origin.read(str(found.get("private_metadata") or ""))
    action = acme().actions.get(origin.action, acme().actions["deploy"])
    view = forms.form(action, acme().platform, acme().actions, {}, Origin())
    state = found.get("state")
    standing = {name: one for name, one in state.items() if isinstance(one, dict)} if isinstance(state, dict) else {}
    view["state"] = {"values": {f"in:{name}": {"value": one} for name, one in standing.items()}}
    values, _ = payloads.masked(forms.filled(view))
    forms.touched(view, action)
    Origin.read(origin.pack())
    mistakes: Sequence[InputError] = ()
    try:
        inputs.parse(action, values, acme().platform)
    except InputError as wrong:
        mistakes = errors.inputs(wrong)
    assert all(forms.field_errors(mistakes, view).values())
    inputs.valid_values(action, values)


def _click(data: bytes) -> None:
    """A button's value, in a payload as Slack signs it."""
    body = json.dumps({**CLICK, "actions": [{"action_id": ids.APPROVE, "value": data.decode("utf-8", "replace")}]})
    click = payloads.click_of(payload.read(body.encode(), "application/json"))
    with suppress(InputError):
        assert 0 < Decision.of_click(click).request < 2**63
    _line(str(click.value.get("line") or "").encode("utf-8", "replace"))


def _delivery(data: bytes) -> None:
    """Any body that is signed as Slack signs it: an object is made of it, or it is refused with a sentence."""
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        with suppress(payload.Unreadable):
            found = payload.read(data, kind)
            if found.get("type") == "block_actions" and "command" not in found:
                payloads.click_of(found)
            payloads.of_command(found)


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


CLICK: dict[str, Any] = {
    "type": "block_actions", "user": {"id": "U0LEE", "team_id": "T0ACME"}, "trigger_id": "1.2",
    "channel": {"id": "C0REQUESTS"}, "container": {"type": "message", "message_ts": "1.2", "channel_id": "C0REQUESTS"},
    "message": {"ts": "1.2"}, "response_url": "https://hooks.slack.com/actions/T/1/x", "view": None,
}  # fmt: skip
LINES = (
    "deploy checkout 1.4.2 production because fixes the cart", "scale checkout production replicas=5", "help incident",
    "deploy service=checkout version='1.4 2' because \"x\"", "database create checkout staging size=large", "locks",
    "schedule restart checkout production at tomorrow 9:00 because it leaks", "oncall override friday 9-17 for @olu",
    "freeze tier=production until 18:00 because holidays", "break_glass=yes deploy cart 2.4.0 production because fire",
    "<@U0BOT> logs checkout production grep=error since=10m", "secret set checkout production TOKEN because rotation",
)  # fmt: skip


# ---- what is sent by others


def _alerts(source: str) -> Callable[[bytes], None]:
    def enter(data: bytes) -> None:
        _read(data, READERS[source], source)

    return enter


def _deploys(read: Callable[[bytes], object], source: str) -> Callable[[bytes], None]:
    return lambda data: _read(data, read, source)


def _read(data: bytes, read: Callable[[bytes], Any], source: str) -> None:
    """What was understood, or why it was not, holds no secret, and a database takes it."""
    try:
        found = read(data)
    except Unreadable as wrong:
        kept: object = unreadable.alert_of(source, data.decode("utf-8", "replace"), str(wrong))
        shown = f"{wrong} {kept!r}"
    else:
        unread = getattr(found, "unread", None)
        kept = found
        shown = repr(found if unread is None else (found.alerts, unreadable.alert_of(source, unread.raw, unread.why)))
    repr(kept).encode()
    piece = hostile.leaked(shown)
    assert not piece or not _known_in(data), f"a secret comes out: …{shown[max(0, shown.find(piece) - 60) :][:140]}…"


def _known(text: str) -> bool:
    """Whether every planted secret in a text is one that can be recognised as it stands there."""
    return not hostile.leaked(mask(text)[0])


def _known_in(data: bytes) -> bool:
    """The same of every text of a JSON body."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return _known(data.decode("utf-8", "replace"))
    said = [one for path in hostile.paths(found) for one in (*path[-1:], hostile.at(found, path))]
    return all(_known(one) for one in said if isinstance(one, str))


# ---- what is written into the configuration


def _configured(contents: Mapping[str, bytes]) -> Loaded | None:
    try:
        return parse(Path("config"), contents, registry.load(), action_of)
    except ConfigurationError as wrong:
        for problem in wrong.problems:
            assert problem.line > 0
            assert problem.message, problem
        str(wrong).encode()
        return None


def _platform(data: bytes) -> None:
    _configured({"platform.yml": data})


def _policy(data: bytes) -> None:
    when = json.dumps(data.decode("utf-8", "replace"))
    _configured({"platform.yml": _small().replace(b"WHEN", when.encode("utf-8", "replace"))})


def _action(data: bytes) -> None:
    found = _configured({"platform.yml": _small().replace(b"WHEN", b'"true"'), "actions/it.yml": data})
    for name in sorted(set(found.actions) - set(registry.load())) if found is not None else ():
        _offered(found, found.actions[name])


def _offered(found: Loaded, action: Action) -> None:
    """What was taken for an action has a form, and takes what is typed into it."""
    for step in range(len(steps_of(action))):
        forms.form(action, found.platform, found.actions, {}, Origin(action=action.name, step=step))
    for one in inputs_of(action.inputs):
        with suppress(InputError):
            inputs.parse(action, {one.name: "x"}, found.platform)


@functools.cache
def _small() -> bytes:
    return SMALL.encode()


SMALL = """
version: 1
channels: {requests: platform-requests, deploys: deploys, incidents: incidents}
environments:
  staging: {tier: staging, namespace: shop-staging}
  production: {tier: production, namespace: shop}
groups: {leads: {members: [lee@acme.test, sam@acme.test]}}
operators: ["group:leads"]
teams: {shop: {members: [dana@acme.test], leads: [lee@acme.test]}}
services: {checkout: {team: shop}}
actions: {kinds: [ConfigMap, Deployment, Job, Cluster.postgresql.cnpg.io]}
policies: [{name: fuzzed, when: WHEN, require: {approvals: 1, from: ["group:leads"]}}]
"""


def _expressions() -> list[bytes]:
    found = [one["when"] for one in yaml.safe_load((ACME / "platform.yml").read_bytes())["policies"]]
    more = (
        'service.labels["pci"] == "yes" && inputs.version.startsWith("1.")', 'now < timestamp("2026-12-27T00:00:00Z")',
        "plan.changes.exists(c, c.field.contains('image') && c.after != c.before)",
        "size(requester.groups) > 0 ? true : !false", 'requester.email.matches("^[a-z]+@acme[.]test$")',
        "[1, 2, 3].map(x, x * 2) == [2, 4, 6]", '{"a": 1}["a"] in [1u, 2]',
    )  # fmt: skip
    return [one.encode() for one in (*found, *more)]


def _bodies(*found: Any) -> Callable[[], Sequence[bytes]]:
    return lambda: [json.dumps(one).encode() for one in found]


def _files(*patterns: str) -> Callable[[], Sequence[bytes]]:
    return lambda: [path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern))]


PAGERDUTY = {
    "event": {
        "id": "01BQ", "event_type": "incident.triggered", "occurred_at": "2026-11-23T09:00:00.000Z",
        "agent": {"id": "PXPGF42", "type": "user_reference", "summary": "Olu"},
        "data": {
            "id": "PT4KHLK", "type": "incident", "status": "triggered", "title": "The cart answers with errors",
            "urgency": "high", "priority": {"id": "P1", "summary": "P1"}, "created_at": "2026-11-23T09:00:00Z",
            "html_url": "https://acme.pagerduty.com/incidents/PT4KHLK", "service": {"id": "PIJ", "summary": "Checkout"},
        },
    }
}  # fmt: skip
ALERT = {
    "name": "Backup", "severity": "critical", "service": "checkout", "labels": {"team": "shop"},
    "annotations": {"a": "b"},
    "summary": "none for a day", "link": "https://backup.acme.test/1", "starts_at": "2026-11-23T09:00:00Z", "key": "1",
}  # fmt: skip
FORM = {
    "private_metadata": Origin("C0GENERAL", "1.2", "https://hooks.slack.com/x", "deploy").pack(),
    "state": {
        "service": {"type": "external_select", "selected_option": {"text": {"text": "checkout"}, "value": "checkout"}},
        "environment": {"type": "static_select", "selected_option": {"value": "production"}},
        "version": {"type": "plain_text_input", "value": "1.4.2"},
        "reason": {"type": "plain_text_input", "value": "because"}, "replicas": {"type": "number_input", "value": "3"},
        "at": {"type": "datetimepicker", "selected_date_time": 1781510400},
        "who": {"type": "users_select", "selected_user": "U0LEE"},
        "tags": {"type": "checkboxes", "selected_options": [{"value": "a"}]},
    },
}  # fmt: skip


def _github(event: str) -> Callable[[bytes], object]:
    return lambda body: github.read(event, body, acme().platform)


SLACK: Mapping[str, Door] = {
    "line": Door(_line, lambda: [one.encode() for one in LINES], hostile.words_like),
    "form": Door(_form, _bodies(FORM), hostile.json_like),
    "click": Door(_click, _bodies({"r": 1042, "d": "7f3a9c01"}, {"line": LINES[0]}), hostile.json_like),
    "delivery": Door(_delivery, _bodies(CLICK), hostile.json_like),
}
HOOKS: Mapping[str, Door] = {
    "alertmanager": Door(_alerts("alertmanager"), _bodies(NOTIFICATION), hostile.json_like),
    "grafana": Door(_alerts("grafana"), _bodies(GRAFANA), hostile.json_like),
    "alert": Door(_alerts("alert"), _bodies(ALERT, {"alerts": [ALERT, ALERT]}), hostile.json_like),
    "pagerduty": Door(_deploys(pagerduty.read, "PagerDuty"), _bodies(PAGERDUTY), hostile.json_like),
    "deploy": Door(_deploys(own.read, "a pipeline"), _bodies(BUILD), hostile.json_like),
    "argocd": Door(
        _deploys(lambda body: argocd.read(body, acme().platform), "Argo CD"), _bodies(ARGOCD), hostile.json_like
    ),
    "flux": Door(_deploys(lambda body: flux.read(body, acme().platform), "Flux"), _bodies(FLUX), hostile.json_like),
    "deployment": Door(_deploys(_github("deployment_status"), "GitHub"), _bodies(GITHUB), hostile.json_like),
    "run": Door(
        _deploys(_github("workflow_run"), "GitHub"), _bodies(workflow_run(), workflow_run("completed", "success")),
        hostile.json_like,
    ),
    "release": Door(_deploys(_github("release"), "GitHub"), _bodies(release()), hostile.json_like),
}  # fmt: skip
CONFIGURATION: Mapping[str, Door] = {
    "policy": Door(_policy, _expressions, hostile.words_like),
    "action": Door(_action, _files("examples/acme/actions/*.yml", "tests/config/actions/*.yml"), hostile.lines_like),
    "platform": Door(_platform, _files("examples/acme/platform.yml"), hostile.lines_like),
}
DOORS: Mapping[str, Door] = {**SLACK, **HOOKS, **CONFIGURATION}
# What is fuzzed in one process.
GROUPS: Mapping[str, Mapping[str, Door]] = {"slack": SLACK, "hooks": HOOKS, "configuration": CONFIGURATION}
