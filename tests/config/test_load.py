"""What a configuration folder means."""

from datetime import date, time

import pytest
import yaml

from chatops.adapters.configuration import load
from chatops.adapters.configuration.folder import digest
from chatops.kernel.catalog import BreakGlass, Requirement
from chatops.kernel.rota import Hours
from tests.config.acme import ACTIONS, EXAMPLE, acme


@pytest.fixture(scope="module")
def platform():
    return load(EXAMPLE, ACTIONS).platform


def test_acme_has_its_environments_services_and_people(platform):
    assert [(e.name, e.tier, e.namespace, e.promote_from, e.rolls_back) for e in platform.environments.values()] == [
        ("staging", "staging", "shop-staging", "", True),
        ("production", "production", "shop", "staging", True),
    ]
    assert set(platform.services) == {"checkout", "cart", "catalog", "search", "web", "payments"}
    checkout = platform.services["checkout"]
    assert (checkout.workload_name, checkout.container) == ("checkout", "app")
    assert checkout.image_for("1.4.2") == "registry.acme.test/shop/checkout:1.4.2"
    assert platform.groups["leads"].usergroup == "platform-leads"
    assert platform.teams["shop"].leads == ("lee@acme.test",)
    assert platform.channel("requests") == "platform-requests"
    assert platform.operators == ("group:platform",)


def test_acmes_policies_are_read_with_their_places(platform):
    lead, holder, danger, frozen, staging = platform.policies
    assert lead.require == (Requirement(approvals=1, sources=("group:leads", "team-leads"), expires=4 * 3600),)
    assert "team-leads" in danger.require[0].sources
    assert danger.require[1].sources == ("group:security",)
    assert [one.expires for one in danger.require] == [86400, 86400]
    assert (frozen.deny, frozen.break_glass) == ("Production is frozen until 27 December.", BreakGlass(group="sre"))
    assert (holder.require, holder.deny) == ((), "")
    assert (staging.require, staging.deny) == ((), "")
    line = int(lead.where.rpartition(":")[2])
    assert (EXAMPLE / "platform.yml").read_text().splitlines()[line - 1] == "  - name: production needs a lead"


def test_rotas_and_escalations_are_kept_with_durations_in_seconds(platform):
    rota = platform.rotas["shop-rota"]
    [layer] = rota.layers
    assert (rota.timezone, layer.shift, layer.weekday, layer.at) == ("Europe/Berlin", "weekly", 0, time(9))
    assert rota.people == ("olu@acme.test",)
    assert [step.after for step in platform.escalations["default"].steps] == [0, 600]


def test_a_rota_may_have_layers_with_hours_of_their_own(tmp_path):
    layers = """layers:
      - {shift: daily, handover: "08:00", hours: "mon-fri 09:00-17:00", people: [lee@acme.test], start: "2026-11-02"}
      - {people: [olu@acme.test], hours: "fri-mon 22:00-06:00"}
      - {people: [dana@acme.test], hours: "18:00-24:00"}
"""
    old = 'shift: weekly\n    handover: "mon 09:00"\n    people: [olu@acme.test]  # several take turns, week by week\n'
    rota = load(acme(tmp_path, (old, layers)), ACTIONS).platform.rotas["shop-rota"]
    assert [layer.hours for layer in rota.layers] == [
        Hours(days=(0, 1, 2, 3, 4), begin=time(9), end=time(17)),
        Hours(days=(4, 5, 6, 0), begin=time(22), end=time(6)),
        Hours(days=(0, 1, 2, 3, 4, 5, 6), begin=time(18), end=time(0)),
    ]
    assert (rota.layers[0].shift, rota.layers[0].start) == ("daily", date(2026, 11, 2))


def test_the_group_platform_is_the_platform_team_when_nothing_else_is_said(tmp_path):
    assert load(acme(tmp_path, ('operators: ["group:platform"]\n', "")), ACTIONS).platform.operators == (
        "group:platform",
    )


def test_nobody_is_the_platform_team_when_there_is_no_such_group(tmp_path):
    folder = acme(tmp_path, ('operators: ["group:platform"]\n', ""), ("  platform: {members", "  others: {members"))
    assert load(folder, ACTIONS).platform.operators == ()


def test_the_example_as_another_program_writes_it_means_the_same(platform, tmp_path):
    content = yaml.safe_load((EXAMPLE / "platform.yml").read_text())
    (tmp_path / "platform.yml").write_text(yaml.safe_dump(content, sort_keys=False, width=60))
    again = load(tmp_path, ACTIONS).platform
    same = {"environments", "groups", "teams", "services", "operators", "rotas", "escalations", "channels"}
    assert again.model_dump(include=same) == platform.model_dump(include=same)
    assert [rule.when for rule in again.policies] == [rule.when for rule in platform.policies]


def test_the_digest_names_the_content(tmp_path):
    first = load(acme(tmp_path), ACTIONS).platform.digest
    assert first == load(acme(tmp_path), ACTIONS).platform.digest
    assert len(first) == 64
    assert first != load(acme(tmp_path, ("version: 1\n", "version: 1 # changed\n")), ACTIONS).platform.digest


def test_no_two_folders_share_a_digest_by_moving_bytes_between_name_and_content():
    assert digest({"ab": b"c"}) != digest({"a": b"bc"})
    assert digest({"a": b"b", "c": b"d"}) != digest({"a": b"bcd"})
    assert digest({"a": b"1", "b": b"2"}) == digest({"b": b"2", "a": b"1"})


def test_what_a_config_map_mount_adds_is_not_read(tmp_path):
    data = tmp_path / "..2026_11_01"
    data.mkdir()
    acme(data)
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "platform.yml").symlink_to("..data/platform.yml")
    assert load(tmp_path, ACTIONS).platform.digest == load(data, ACTIONS).platform.digest


def test_five_thousand_services_are_read_whole(tmp_path):
    entry = "  svc-{0}: {{team: shop, workload: {{container: app}}, image: registry.acme.test/shop/svc-{0}}}\n"
    many = "".join(entry.format(number) for number in range(5000))
    platform = load(acme(tmp_path, ("\nservices:\n", "\nservices:\n" + many)), ACTIONS).platform
    assert len(platform.services) == 5006
    assert platform.services["svc-4999"].image == "registry.acme.test/shop/svc-4999"
