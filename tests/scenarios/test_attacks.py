"""Hostile words for declared actions, typed on the line and into the form: they stay words, all the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters.configuration.folder import check
from commands import registry
from commands.declared import action_of
from tests.scenarios.test_declared import allowing
from tests.scenarios.test_steps import get
from tests.support.house import ACME, REQUESTS, House, acme_house

NOTE = """
name: note.put
title: Put up a note
risk: change
inputs:
  service:     {type: service}
  environment: {type: environment}
  text:        {type: text, multiline: true, max_length: 2000}
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.service}-note", annotations: {said: "${inputs.text}"}}
      data: {note: "${inputs.text}", among: "they said: ${inputs.text}"}
outputs: {said: "${inputs.text}"}
"""
NAMED = """
name: thing.make
title: Make a thing
risk: change
inputs:
  service:     {type: service}
  environment: {type: environment}
  space:       {type: text}
  name:        {type: text}
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.name}", namespace: "${inputs.space}"}
      data: {a: b}
"""
ENDLESS = "[0,1,2,3,4,5,6,7,8,9]"
for _ in range(9):
    ENDLESS = f"[0,1,2,3,4,5,6,7,8,9].map(x, {ENDLESS})"
NEVER = f"""
name: never.ends
title: Never ends
risk: change
inputs:
  service:     {{type: service}}
  environment: {{type: environment}}
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {{name: "${{inputs.service}}-never"}}
      data: {{a: "${{string(size({ENDLESS}))}}"}}
"""
HOSTILE = [
    "x\nspec: {replicas: 9}",
    "${1+1}",
    "$${1+1} ${inputs.service} ${{",
    "{{ 7*7 }} {% raw %} <%= 1 %> %s {0}",
    "&a [*a, *a] !!python/object:os.system x",
    "<!channel> <@U0LEE> <https://evil.test|https://acme.test> *bold* `code` &amp;",
    "--- \n# no comment\n'\"\\",
    "чеckоut ｃｈｅｃｋｏｕｔ",
]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    files = {"note.put.yml": NOTE, "thing.make.yml": NAMED, "never.ends.yml": NEVER}
    async with acme_house(actions=files, platform=allowing) as house:
        yield house


async def test_what_is_typed_into_the_form_arrives_as_it_was_typed_and_nothing_else_does(house: House) -> None:
    for number, text in enumerate(HOSTILE):
        await house.dana.types("/platform note put")
        form = await house.dana.modal(title="Put up a note")
        await form.fill(Service="checkout", Environment="staging", Text=text)
        assert await form.submit() == {}, text
        card = await house.dana.sees(REQUESTS, f"R-{1001 + number}", "SUCCEEDED", within=15)
        live: Any = await get(house, "checkout-note")
        assert live["data"] == {"note": text, "among": f"they said: {text}"}
        assert live["metadata"]["annotations"]["said"] == text
        assert set(live) <= {"apiVersion", "kind", "metadata", "data"}
        raw = json.dumps(card.message, ensure_ascii=False)
        assert "<!channel>" not in raw
        assert "<@U0LEE>" not in raw
        assert "<https://evil.test" not in raw
        assert "said: 2" not in card.text


@pytest.mark.parametrize(
    ("action", "given", "says"),
    [
        ("note put", {"Text": "check\u202eout"}, "Text has a letter that nobody sees, U+202E RIGHT-TO-LEFT OVERRIDE"),
        (
            "thing make",
            {"Space": "a", "Name": "check\u200bout"},
            "Name has a letter that nobody sees, U+200B ZERO WIDTH SPACE",
        ),
        ("thing make", {"Space": "shop-staging", "Name": "a\nnamespace: shop"}, "Name must be one line."),
    ],
)
async def test_what_nobody_sees_and_a_second_line_are_told_at_their_field(
    house: House, action: str, given: dict[str, str], says: str
) -> None:
    await house.dana.types(f"/platform {action}")
    form = await house.dana.modal()
    await form.fill(Service="checkout", Environment="staging", **given)
    assert says in " ".join((await form.submit()).values())
    assert await house.rows("SELECT * FROM requests") == []


async def test_what_is_typed_on_the_line_arrives_as_it_was_typed(house: House) -> None:
    for number, text in enumerate(("x spec: {replicas: 9}", "${1+1}", "{{ 7*7 }}")):
        await house.dana.types(f"/platform note put checkout staging text='{text}'")
        await house.dana.sees(REQUESTS, f"R-{1001 + number}", "SUCCEEDED", within=15)
        live: Any = await get(house, "checkout-note")
        assert live["data"]["note"] == text


async def test_100_kb_are_refused_at_the_field_and_on_the_line_before_anything_is_asked(house: House) -> None:
    await house.dana.types(f"/platform note put checkout staging text='{'x' * 100_000}'")
    await house.dana.sees("general", "Not quite", "too long")
    assert await house.rows("SELECT * FROM requests") == []


@pytest.mark.parametrize(
    ("space", "name"),
    [
        ("shop", "a"),  # another environment's
        ("kube-system", "a"),
        ("shop-staging/../shop", "a"),
        ("shop-staging", "Checkout"),
        ("shop-staging", "../../secrets/key"),
        ("shop-staging", "чеckоut"),
        ("shop-staging", "x" * 254),
    ],
)
async def test_names_and_namespaces_that_are_out_of_reach_are_refused_on_the_card_and_nothing_is_made(
    house: House, space: str, name: str
) -> None:
    await house.dana.types("/platform thing make")
    form = await house.dana.modal(title="Make a thing")
    await form.fill(Service="checkout", Environment="staging", Space=space, Name=name)
    assert await form.submit() == {}
    await house.dana.sees(REQUESTS, "Make a thing", "REFUSED", within=10)
    await house.quiet()
    assert (await house.history()).count("written") == 0


def test_a_kind_is_no_expression_so_that_who_reads_the_file_knows_what_it_touches(tmp_path: Path) -> None:
    shutil.copy(ACME / "platform.yml", tmp_path)
    (tmp_path / "actions").mkdir()
    (tmp_path / "actions" / "thing.make.yml").write_text(NAMED.replace("ConfigMap", '"${inputs.name}"'))
    [problem] = check(tmp_path, registry.load(), action_of)
    assert "has kind '${inputs.name}'" in str(problem)


async def test_an_expression_that_never_ends_costs_its_own_request_and_nobody_elses(house: House) -> None:
    await house.lee.types("/platform never ends checkout staging because of it")
    await house.dana.types("/platform deploy cart 2.8.1 staging because it is better")
    await house.dana.sees(REQUESTS, "Deploy cart", "SUCCEEDED", within=15)
    await house.lee.sees(REQUESTS, "Never ends", "REFUSED", within=15)
    assert await get(house, "checkout-never") is None
