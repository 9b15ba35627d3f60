"""What an action asks for follows what was filled in; what may not be asked for is said at its field."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
import pytest_asyncio
from pydantic import Field, StringConstraints

from chatops.adapters.cel import CelEvaluator
from chatops.kernel.action import Action, Asked, ChangeInputs, EnvironmentName, InputKind, ServiceName
from chatops.kernel.catalog import Service
from chatops.kernel.cel import CelError
from chatops.kernel.declaration import Declaration, DeclaredInput, OptionsFrom, Rule
from chatops.kernel.errors import Unavailable
from chatops.kernel.people import Person, Standing
from chatops.requests.parse import InputErrors
from chatops.requests.planning import Planner
from chatops.requests.sheets import Sheets, depended_on
from commands.declared import action_of
from tests.declared.samples import DATABASE, asking
from tests.slack.desk import Configured, platform

pytestmark = pytest.mark.asyncio(loop_scope="module")

DANA = Person(id="U0DANA", name="Dana", email="dana@acme.test", standing=Standing.MEMBER, tz="Europe/Berlin")
LEE = Person(id="U0LEE", name="Lee", email="lee@acme.test", standing=Standing.MEMBER)
GUS = Person(id="U0GUS", name="Gus", standing=Standing.OUTSIDER)
NOON = 1_795_348_800.0  # 2026-11-22T12:00Z
CREATE = action_of(DATABASE)


class Always:
    """A clock that stands."""

    def now(self) -> float:
        return NOON

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits")


@dataclass
class People:
    """Acme's people; whoever else is asked for is nobody."""

    async def person(self, user_id: str, team_id: str = "") -> Person:
        return {one.id: one for one in (DANA, LEE, GUS)}.get(user_id, Person(id=user_id))

    def known(self, user_id: str, team_id: str = "") -> Person | None:
        return None

    async def members(self, source: str, team: str = "") -> tuple[Person, ...]:
        return tuple(one for one in (DANA, LEE) if source == f"user:{one.email}")


@dataclass
class Cluster:
    """A reader that knows one kind."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    away: bool = False
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def acting_for(self, identity: Any) -> Any:
        return self

    def reader(self, environment: Any) -> Any:
        return self

    async def resolve(self, kind: str, group: str = "") -> tuple[str, bool]:
        if self.away:
            raise Unavailable("the cluster does not answer")
        return (f"{group}/v1" if group else "v1", True)

    async def find(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        self.asked.append((api_version, kind, namespace))
        return self.objects


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cel() -> AsyncIterator[CelEvaluator]:
    evaluator = CelEvaluator()
    yield evaluator
    await evaluator.close()


def sheets(evaluate: Any, cluster: Cluster | None = None) -> Sheets:
    clusters: Any = cluster or Cluster(away=True)
    questions: Any = object()
    ledger: Any = object()
    directory: Any = People()
    planner = Planner({}, Configured(), clusters, directory, evaluate, ledger, Always(), questions)
    return Sheets(planner, directory)


async def mistakes(found: Sheets, action: Action, values: Mapping[str, Any]) -> dict[str, str]:
    with pytest.raises(InputErrors) as caught:
        await found.check(action, values, DANA, deep=True)
    return {error.field: f"{error.message} {error.hint}".strip() for error in caught.value.errors}


PRODUCTION = {"service": "checkout", "environment": "production"}
STAGING = {"service": "checkout", "environment": "staging"}


# show_when -----------------------------------------------------------------------------------------------------------


async def test_an_input_shows_itself_once_what_it_depends_on_is_chosen(cel: CelEvaluator) -> None:
    found = sheets(cel.evaluate_all)
    for values, hidden in (({}, {"replicas"}), (STAGING, {"replicas"}), (PRODUCTION, set())):
        assert (await found.look(CREATE, values, DANA, cluster=False)).hidden == hidden, values


async def test_a_hidden_input_has_its_default_and_a_value_for_it_is_refused_in_a_sentence(cel: CelEvaluator) -> None:
    found = sheets(cel.evaluate_all)
    inputs: Any = await found.check(CREATE, STAGING, DANA, deep=True)
    assert (inputs.replicas, inputs.size) == (2, "small")
    said = await mistakes(found, CREATE, {**STAGING, "replicas": "3"})
    assert "Replicas does not apply here" in said["replicas"]
    assert 'only when `env.tier == "production"`' in said["replicas"]


async def test_what_one_hidden_input_would_show_stays_hidden_too(cel: CelEvaluator) -> None:
    chain = action_of(
        asking(
            DeclaredInput(name="backups", type="boolean", default=False),
            DeclaredInput(name="keep", type="integer", default=9, show_when="inputs.backups"),
            DeclaredInput(name="where", type="text", required=False, show_when="inputs.keep > 7"),
            DeclaredInput(name="really", type="text", required=False, show_when='inputs.where == "moon"'),
        )
    )
    found = sheets(cel.evaluate_all)
    given = {"backups": "yes", "keep": "8", "where": "moon"}
    for values, hidden in (
        ({}, {"keep", "really"}),
        ({"backups": "yes", "keep": "3"}, {"where", "really"}),
        (given, set()),
        ({**given, "backups": "no", "keep": "3"}, {"keep"}),
        ({**given, "keep": "3"}, {"where", "really"}),
    ):
        assert (await found.look(chain, values, DANA, cluster=False)).hidden == hidden, values


async def test_an_input_that_shows_itself_is_needed_only_then(cel: CelEvaluator) -> None:
    action = action_of(
        asking(
            DeclaredInput(name="environment", type="environment"),
            DeclaredInput(name="window", type="duration", show_when='env.tier == "production"'),
        )
    )
    found = sheets(cel.evaluate_all)
    assert (await mistakes(found, action, {"environment": "production"})) == {"window": "Window is needed."}
    await found.check(action, {"environment": "staging"}, DANA, deep=True)


async def test_who_asks_decides_what_is_asked(cel: CelEvaluator) -> None:
    action = action_of(
        asking(DeclaredInput(name="size", type="text", required=False, show_when='"sre" in requester.groups'))
    )
    found = sheets(cel.evaluate_all)
    assert (await found.look(action, {}, DANA, cluster=False)).hidden == {"size"}
    olu = DANA.model_copy(update={"groups": ("sre",)})
    assert (await found.look(action, {}, olu, cluster=False)).hidden == set()


# rules ---------------------------------------------------------------------------------------------------------------


async def test_a_broken_rule_is_said_at_its_field(cel: CelEvaluator) -> None:
    said = await mistakes(sheets(cel.evaluate_all), CREATE, {**PRODUCTION, "replicas": "1"})
    assert said == {"replicas": "Production needs at least two replicas."}


@pytest.mark.parametrize("check", ["1 / (inputs.replicas - 2) > 0", "inputs.nothing", "inputs.replicas", "env.name +"])
async def test_a_rule_that_cannot_be_evaluated_refuses(cel: CelEvaluator, check: str) -> None:
    rule = Rule(check=check, message="Must be well.", field="replicas")
    action = action_of(DATABASE.model_copy(update={"rules": (rule,)}))
    said = await mistakes(sheets(cel.evaluate_all), action, {**PRODUCTION, "replicas": "2"})
    assert "Whether this holds could not be checked: “Must be well.”" in said["replicas"]
    assert "refused" in said["replicas"]


async def test_without_anything_to_evaluate_with_what_has_rules_is_refused() -> None:
    async def broken(pairs: Sequence[tuple[str, Any]]) -> list[Any]:
        return [CelError("nothing evaluates it") for _ in pairs]

    said = await mistakes(sheets(broken), CREATE, {**PRODUCTION, "replicas": "3"})
    assert "could not be worked out (nothing evaluates it)" in said["replicas"]
    said = await mistakes(sheets(broken), CREATE, PRODUCTION)
    assert "could not be checked" in said["replicas"]


async def test_rules_wait_until_the_fields_are_right(cel: CelEvaluator) -> None:
    said = await mistakes(sheets(cel.evaluate_all), CREATE, {**PRODUCTION, "replicas": "nine", "size": "huge"})
    assert said == {
        "replicas": "Replicas must be a whole number.",
        "size": "Size must be small, medium or large, not 'huge'.",
    }


# looked up -----------------------------------------------------------------------------------------------------------


def looking(cel: str, kind: str = "", **more: Any) -> Action:
    return action_of(
        asking(
            DeclaredInput(name="environment", type="environment"),
            DeclaredInput(name="thing", type="choice", options_from=OptionsFrom(cel=cel, kind=kind), **more),
        )
    )


async def test_options_come_out_of_the_catalog(cel: CelEvaluator) -> None:
    found = sheets(cel.evaluate_all)
    mine = looking('catalog.services.filter(s, s.team == "shop").map(s, s.name)')
    sheet = await found.look(mine, {}, DANA, cluster=False)
    assert set(sheet.options["thing"]) == {"checkout", "cart", "payments"}
    said = await mistakes(found, mine, {"environment": "staging", "thing": "moon"})
    assert said == {"thing": "There is no thing called 'moon'. There are checkout, cart, payments."}
    inputs: Any = await found.check(mine, {"environment": "staging", "thing": "cart"}, DANA, deep=True)
    assert inputs.thing == "cart"


async def test_options_may_have_labels_and_wait_for_what_they_depend_on(cel: CelEvaluator) -> None:
    found = sheets(cel.evaluate_all)
    named = looking('{"In " + env.name: env.namespace}')
    assert "thing" not in (await found.look(named, {}, DANA, cluster=False)).options
    sheet = await found.look(named, {"environment": "staging"}, DANA, cluster=False)
    assert sheet.options["thing"] == {"In staging": "shop-staging"}


async def test_five_thousand_services_are_looked_through_in_time(cel: CelEvaluator) -> None:
    teams = ("shop", "data")
    many = {
        f"s{n}": Service(name=f"s{n}", team=teams[n % 2], labels={"tier": "gold" if n % 3 else "tin"})
        for n in range(5000)
    }
    found = sheets(cel.evaluate_all)
    found.planner.configuration = Configured(platform(services=many))
    for expression, names in (
        ('catalog.services.filter(s, s.team == "data").map(s, s.name)', [f"s{n}" for n in range(1, 5000, 2)]),
        ('catalog.services.filter(s, s.labels.tier == "tin").map(s, s.name)', [f"s{n}" for n in range(0, 5000, 3)]),
        ('catalog.services.filter(s, s.name == "s4999").map(s, s.team)', ["data"]),
    ):
        if "labels" in expression:
            expression = expression.replace("s.labels.tier", "has(s.labels.tier) && s.labels.tier")
        sheet = await found.look(looking(expression), {}, DANA, cluster=False)
        assert list(sheet.options.get("thing", ())) == names, sheet.silent


async def test_what_is_no_chain_over_a_list_is_asked_of_the_whole_catalog(cel: CelEvaluator) -> None:
    found = sheets(cel.evaluate_all)
    for expression, names in (
        ('catalog.services.exists(s, s.name == "cart") ? ["yes"] : []', ["yes"]),
        ("catalog.environments.filter(e, size(catalog.services) == 3).map(e, e.name)", ["staging", "production"]),
        ("catalog.teams.map(t, t.name)", ["shop"]),
    ):
        sheet = await found.look(looking(expression), {}, DANA, cluster=False)
        assert list(sheet.options["thing"]) == names, expression


def config_map(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "managedFields": [{"manager": "x"}]}, "data": {"a": "b"}}


async def test_options_are_the_objects_of_the_chosen_environment(cel: CelEvaluator) -> None:
    cluster = Cluster([config_map("blue"), config_map("amber"), {"metadata": {}}])
    found, action = sheets(cel.evaluate_all, cluster), looking("object.metadata.name", "ConfigMap")
    assert depended_on(action) == {"environment"}
    assert "thing" not in (await found.look(action, {}, DANA, cluster=True)).options
    assert "thing" not in (await found.look(action, STAGING, DANA, cluster=False)).options
    assert cluster.asked == []
    sheet = await found.look(action, {"environment": "staging"}, DANA, cluster=True)
    assert list(sheet.options["thing"]) == ["amber", "blue"]
    assert cluster.asked == [("v1", "ConfigMap", "shop-staging")]
    remembered = await found.look(action, {"environment": "staging"}, DANA, cluster=False)
    assert remembered.options == sheet.options
    assert len(cluster.asked) == 1


async def test_of_a_secret_nothing_secret_is_looked_at(cel: CelEvaluator) -> None:
    secret = {"metadata": {"name": "db"}, "data": {"password": "aHVzaA=="}}
    found = sheets(cel.evaluate_all, Cluster([secret]))
    sheet = await found.look(looking("object.data.password", "Secret"), {"environment": "staging"}, DANA, cluster=True)
    assert "thing" not in sheet.options
    assert "aHVzaA" not in str(sheet)


async def test_while_the_cluster_is_away_what_was_typed_is_believed(cel: CelEvaluator) -> None:
    found, action = sheets(cel.evaluate_all), looking("object.metadata.name", "ConfigMap")
    sheet = await found.look(action, {"environment": "staging"}, DANA, cluster=True)
    assert "the cluster does not answer" in sheet.silent["thing"]
    inputs: Any = await found.check(action, {"environment": "staging", "thing": "blue"}, DANA, deep=True)
    assert inputs.thing == "blue"


async def test_a_default_is_worked_out_unless_something_was_given(cel: CelEvaluator) -> None:
    action = action_of(
        asking(
            DeclaredInput(name="environment", type="environment"),
            DeclaredInput(name="copies", type="integer", default_from='env.tier == "production" ? 3 : 1'),
            DeclaredInput(name="wait", type="duration", default_from="inputs.copies * 3600"),
        )
    )
    found = sheets(cel.evaluate_all)
    assert (await found.look(action, {}, DANA, cluster=False)).defaults == {}
    sheet = await found.look(action, {"environment": "production"}, DANA, cluster=False)
    assert sheet.defaults == {"copies": "3", "wait": "3h"}
    inputs: Any = await found.check(action, {"environment": "production", "copies": "2"}, DANA, deep=True)
    assert (inputs.copies, inputs.wait) == (2, "2h")


# people, times, letters ----------------------------------------------------------------------------------------------


class Meeting(ChangeInputs):
    service: ServiceName = Field(title="Service")
    environment: EnvironmentName = Field(title="Environment")
    who: Annotated[str, InputKind.PERSON] = Field(default="", title="Who")
    at: Annotated[str, InputKind.DATETIME] = Field(default="", title="At")
    tags: Annotated[tuple[str, ...], InputKind.CHOICES, Asked({"red": 1, "a, b": 2})] = Field(default=(), title="Tags")
    name: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9-]{0,20}$")] = Field(
        default="x", title="Name", description="Lower-case letters, digits and dashes."
    )
    note: str = Field(default="", title="Note", max_length=50)


MEET = Action(
    name="meet", title="Meet", risk="change", inputs=Meeting, usage="meet", summary="Meet", plan=None,
)  # fmt: skip


async def made(evaluate: Any, **values: str) -> Any:
    return await sheets(evaluate).check(MEET, {**STAGING, **values}, DANA, deep=True)


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("2026-12-24T10:00:00Z", "2026-12-24T10:00:00Z"),
        ("2026-12-24T10:00", "2026-12-24T09:00:00Z"),  # in Berlin
        ("2026-07-24 10:00", "2026-07-24T08:00:00Z"),
        ("tomorrow 9:00", "2026-11-23T08:00:00Z"),
        ("today 17:30", "2026-11-22T16:30:00Z"),
    ],
)
async def test_times_are_meant_in_the_persons_own_zone(cel: CelEvaluator, typed: str, at: str) -> None:
    assert (await made(cel.evaluate_all, at=typed)).at == at


async def test_people_are_kept_by_the_e_mail_that_clusters_know_them_by(cel: CelEvaluator) -> None:
    assert (await made(cel.evaluate_all, who="lee@acme.test")).who == "lee@acme.test"
    assert (await made(cel.evaluate_all, who="U0LEE")).who == "lee@acme.test"
    found = sheets(cel.evaluate_all)
    for who, said in (
        ("nobody@acme.test", "no full member"),
        ("U0GUS", "Gus is no full member"),
        ("U0NOBODY", "could not find out who U0NOBODY is"),
        ("@nemo", "I don't know who @nemo is. Take the name from the list"),
    ):
        assert said in (await mistakes(found, MEET, {**STAGING, "who": who}))["who"], who


async def test_several_choices_are_comma_separated(cel: CelEvaluator) -> None:
    assert (await made(cel.evaluate_all, tags='red, "a, b"')).tags == ("red", "a, b")
    assert (await made(cel.evaluate_all, tags=",")).tags == ()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("name", "x\nspec: y", "Name does not fit: Lower-case letters, digits and dashes."),
        ("name", "${1+1}", "Name does not fit: Lower-case letters, digits and dashes."),
        ("name", "{{ 7*7 }}", "Name does not fit"),
        ("name", "Orders_DB", "Name does not fit"),
        ("name", "сheckout", "The 'с' in it is U+0441 CYRILLIC SMALL LETTER ES."),
        ("name", "x" * 100_000, "Name does not fit"),
        ("service", "сheckout", "The 'с' in it is U+0441 CYRILLIC SMALL LETTER ES. Did you mean checkout?"),
        ("note", "x" * 100_000, "Note is too long: at most 50 characters."),
        ("note", "a\nspec: b", "Note must be one line."),
        ("note", "a\x00b", "Note has a letter that nobody sees, U+0000, at place 2."),
        ("note", "pay\u202etset", "U+202E RIGHT-TO-LEFT OVERRIDE, at place 4."),
        ("note", "pay\u200bment", "U+200B ZERO WIDTH SPACE"),
        ("reason", "good\u202ebad", "U+202E RIGHT-TO-LEFT OVERRIDE"),
    ],
)
async def test_odd_values_are_refused_at_their_field(cel: CelEvaluator, name: str, value: str, said: str) -> None:
    assert said in (await mistakes(sheets(cel.evaluate_all), MEET, {**STAGING, name: value}))[name]


async def test_what_people_write_in_their_own_letters_is_fine(cel: CelEvaluator) -> None:
    reason = "Größer für Ünal 👩‍👩‍👧\n\tпо просьбе команды"
    inputs = await made(cel.evaluate_all, note="Größe 👩‍👩‍👧 ok", reason=reason)
    assert (inputs.note, inputs.reason) == ("Größe 👩‍👩‍👧 ok", reason)


async def test_an_expression_without_end_refuses_within_its_time(cel: CelEvaluator) -> None:
    numbers = "[" + ",".join("1" for _ in range(60)) + "]"
    endless = f"{numbers}.all(a, {numbers}.all(b, {numbers}.all(c, {numbers}.all(d, a + b + c + d > 0))))"
    rule = Rule(check=endless, message="Must end.", field="size")
    action = action_of(Declaration(**{**DATABASE.model_dump(), "rules": (rule,)}))
    said = await mistakes(sheets(cel.evaluate_all), action, STAGING)
    assert "could not be checked" in said["size"]
