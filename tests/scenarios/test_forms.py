"""Forms of an action out of a file, filled in by people: every kind of input, what follows what, a restart between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.house import House, acme_house
from tests.support.people import Modal

KITCHEN = """
name: kitchen.fit
title: Fit a kitchen
risk: change
inputs:
  service:     {type: service}
  environment: {type: environment}
  name:        {type: text, pattern: '[a-z][a-z0-9-]{0,20}', help: 'Lower-case letters, digits and dashes.'}
  size:        {type: choice, options: {small: 10Gi, large: 200Gi}, default: small}
  extras:      {type: choice, several: true, required: false, options: {backups: b, metrics: m}, default: [metrics]}
  ratio:       {type: number, minimum: 0.25, maximum: 4, default: 0.5}
  replicas:    {type: integer, minimum: 1, maximum: 3, default: 2, show_when: 'env.tier == "production"'}
  team:        {type: team, default_from: service.team}
  owner:       {type: person, required: false}
  lasts:       {type: duration, minimum: 5m, maximum: 30d, default: 4h, title: For}
  begins:      {type: datetime, required: false}
  base:        {type: choice, required: false, options_from: {kind: ConfigMap, cel: object.metadata.name}}
  public:      {type: boolean, default: false}
  why:         {type: text, multiline: true, show_when: inputs.public, title: Why public}
rules:
  - check: 'env.tier != "production" || inputs.replicas > 1'
    message: Production needs at least two replicas.
    field: replicas
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.name}"}
      data: {size: "${inputs.size}", ratio: "${string(inputs.ratio)}", for: "${string(inputs.lasts)}"}
"""
LONG = """
name: survey.file
title: File a survey
risk: change
inputs:
  environment: {type: environment}
QUESTIONS
  last: {type: integer}
rules: [{check: inputs.q0 < inputs.last, message: The first is below the last., field: q0}]
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: survey}
      data: {first: "${string(inputs.q0)}"}
""".replace(
    "QUESTIONS", "\n".join(f"  q{n}: {{type: {'text, required: false' if n else 'integer'}}}" for n in range(57))
)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(actions={"kitchen.yml": KITCHEN, "survey.yml": LONG}) as house:
        yield house


async def inputs_of(house: House, number: int = 1001) -> dict[str, Any]:
    """What the request keeps, once what was sent is worked off."""
    await house.assistant.front.background.idle()
    [row] = await house.rows("SELECT body FROM requests WHERE id = :id", id=number)
    return dict(json.loads(row["body"])["inputs"])


async def test_every_kind_of_input_goes_from_the_form_into_the_request(house: House) -> None:
    await house.dana.types("/platform kitchen fit checkout")
    form = await house.dana.modal("Fit a kitchen")
    assert form.values["Team"] == "shop"
    await form.fill(Environment="production", Name="Bad_Name", Public="yes", Ratio="0.75", Owner="U0LEE", For="2d")
    await form.fill({"Extras": ["backups"], "Begins": 1_798_106_400, "Replicas": "1", "Why public": "two\nlines"})
    errors = await form.submit()
    assert errors == {"Name": "Name 'Bad_Name' does not fit: Lower-case letters, digits and dashes."}
    await form.fill(Name="oak")
    assert await form.submit() == {"Replicas": "Production needs at least two replicas."}
    await form.fill(Replicas="3")
    assert await form.submit() == {}
    await house.lee.sees("platform-requests", "Fit a kitchen", "WAITING")
    assert await inputs_of(house) == {
        "service": "checkout", "environment": "production", "name": "oak", "size": "small", "extras": ["backups"],
        "ratio": 0.75, "replicas": 3, "team": "shop", "owner": "lee@acme.test", "lasts": "2d",
        "begins": "2026-12-24T10:00:00Z", "base": "", "public": True, "why": "two\nlines", "reason": "",
    }  # fmt: skip


async def test_the_line_says_the_same_with_two_words_or_a_dot(house: House) -> None:
    await house.dana.types(
        "/platform kitchen.fit checkout production oak extras=backups,metrics for=90m owner=@lee "
        'begins="2026-12-24 11:00" ratio=1.5 replicas=3 because it burned'
    )
    await house.lee.sees("platform-requests", "Fit a kitchen", "WAITING")
    kept = await inputs_of(house)
    assert (kept["extras"], kept["lasts"], kept["ratio"], kept["replicas"]) == (["backups", "metrics"], "90m", 1.5, 3)
    assert (kept["owner"], kept["begins"]) == ("lee@acme.test", "2026-12-24T10:00:00Z")
    for line, *said in (
        ("kitchen fit checkout staging oak replicas=3", "Replicas does not apply here", "env.tier"),
        ("kitchen fit checkout staging oak size=lrage", "Did you mean large?"),
        ("kitchen fit checkout staging oak extras=backups,metrix", "'metrix'", "Did you mean backups,metrics?"),
        ("kitchen fit checkout staging oak sise=large", "Did you mean size=large?"),
        ("kitchen fit checkout production oak replicas=1", "Production needs at least two replicas."),
        ("kitchen fit checkout staging oak for=forever", "'forever' is no duration: write 30m, 4h or 2d."),
        ("kitchen fit checkout staging oak public=yes", "Why public is needed."),
        ("kitchen fit checkout staging oak base=gone", "There is no base called 'gone'."),
        ("kitchen fit checkout staging oak team=shpo", "Did you mean shop?"),
        ("kitchen fti checkout", "Did you mean kitchen fit?"),
    ):
        await house.dana.types(f"/platform {line}")
        await house.dana.sees("general", "Not quite", *said)
    await house.dana.types("/platform help kitchen.fit")
    await house.dana.sees("general", "/platform kitchen fit SERVICE ENVIRONMENT", "like 30m, 4h, 2d", "only when")
    assert len(await house.rows("SELECT id FROM requests")) == 1


async def test_objects_of_the_chosen_environment_are_offered_and_a_cluster_away_leaves_a_text(house: House) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "oak-base"}}
    await house.cluster_call("POST", "/api/v1/namespaces/shop-staging/configmaps", body)
    await house.dana.types("/platform kitchen fit checkout staging")
    form = await house.dana.modal("Fit a kitchen")
    await house.assistant.front.background.idle()
    await form.fill(Name="oak", Base="oak-base")
    assert await form.submit() == {}
    assert (await inputs_of(house))["base"] == "oak-base"
    house.cluster_away(True)
    await house.dana.types("/platform kitchen fit cart")
    form = await house.dana.modal("Fit a kitchen")
    await form.fill(Environment="production", Name="ash")
    await form.becomes("type it")
    await form.fill(Base="ash-base")
    assert await form.submit() == {}
    assert (await inputs_of(house, 1002))["base"] == "ash-base"


async def on(form: Modal, step: str) -> None:
    await form.person.wait(lambda: step in form.view["title"]["text"] or None, 5, lambda: form.text[:300])


async def test_a_form_in_steps_goes_on_after_a_restart_and_asks_once(house: House) -> None:
    await house.dana.types("/platform survey file")
    form = await house.dana.modal("File a survey 1 of 2")
    await form.fill(Environment="staging", Q0="9")
    await form.submit()
    await on(form, "2 of 2")
    await house.stop()
    await house.start()
    await form.fill(Last="5", Reason="once a year")
    await form.submit()
    await on(form, "1 of 2")
    await form.becomes("⚠ The first is below the last.")
    await form.fill(Q0="1")
    await form.submit()
    await on(form, "2 of 2")
    assert await house.rows("SELECT id FROM requests") == []
    assert await form.submit() == {}
    kept = await inputs_of(house)
    assert (kept["environment"], kept["q0"], kept["last"], kept["reason"]) == ("staging", 1, 5, "once a year")
