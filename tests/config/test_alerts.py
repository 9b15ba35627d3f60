"""What platform.yml says about alerts, read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from chatops.adapters.configuration import load
from chatops.kernel.alerting import AlertRule
from chatops.kernel.cel import BOOL, STRING, check, of_alerts, paths_of
from chatops.kernel.escalation import SEVERITIES, severity_of
from tests.config.acme import ACTIONS, acme

SECTIONS = """
alerts:
  - when: alert.severity == "info"
    ignore: true
  - when: has(alert.labels.region) && team == "shop"
    key: '"region/" + alert.labels.region'
    severity: sev3
    channel: backups
    resolve: automatic
maintenance:
  - name: winter
    when: env.name == "production"
    from: "2026-11-25 22:00"
    until: "2026-11-26 02:00"
    timezone: Europe/Berlin
  - {name: summer, when: "true", from: "2026-06-25 22:00", until: "2026-06-26 02:00", timezone: Europe/Berlin}
severities:
  sev1: {again_after: 30m}
  sev2: {words: [warning, high], again_after: 45m, updates: 1h}
  sev5: {words: [chatter]}
watcher:
"""


def test_rules_windows_and_severities_are_read(tmp_path: Path) -> None:
    platform = load(acme(tmp_path, ("\nwatcher:\n", SECTIONS)), ACTIONS).platform
    first, second = platform.alerts
    assert (first.when, first.ignore, first.key) == ('alert.severity == "info"', True, "")
    line = next(n for n, text in enumerate((tmp_path / "platform.yml").read_text().splitlines(), 1) if "has(al" in text)
    assert second == AlertRule(
        name=f"alert rule 2 (line {line})", when='has(alert.labels.region) && team == "shop"', severity="sev3",
        key='"region/" + alert.labels.region', channel="backups", resolve="automatic",
    )  # fmt: skip
    winter, summer = platform.maintenance
    assert datetime.fromtimestamp(winter.start, UTC) == datetime(2026, 11, 25, 21, tzinfo=UTC)
    assert datetime.fromtimestamp(winter.end, UTC) == datetime(2026, 11, 26, 1, tzinfo=UTC)
    assert datetime.fromtimestamp(summer.start, UTC) == datetime(2026, 6, 25, 20, tzinfo=UTC)
    assert [winter.holds_at(at) for at in (winter.start - 1, winter.start, winter.end - 1, winter.end)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_what_a_severity_leaves_out_stays_and_a_word_belongs_to_one(tmp_path: Path) -> None:
    found = load(acme(tmp_path, ("\nwatcher:\n", SECTIONS)), ACTIONS).platform.severities
    assert list(found) == ["sev1", "sev2", "sev3", "sev4", "sev5"]
    assert found["sev1"] == SEVERITIES["sev1"]
    assert found["sev1"].updates == 1800.0, "naming a severity does not end its reminders"
    assert (found["sev2"].pages, found["sev2"].unresolved, found["sev2"].updates) == (True, 2700.0, 3600.0)
    assert (found["sev5"].pages, found["sev5"].unresolved) == (False, 86400.0)
    assert "warning" not in found["sev3"].words
    said = {word: severity_of(word, found).name for word in ("Warning", "minor", "chatter", "error", "critical")}
    assert said == {"Warning": "sev2", "minor": "sev3", "chatter": "sev5", "error": "sev2", "critical": "sev1"}


def test_without_the_sections_nothing_is_said(tmp_path: Path) -> None:
    platform = load(acme(tmp_path), ACTIONS).platform
    assert (platform.alerts, platform.maintenance, platform.severities) == ((), (), dict(SEVERITIES))


def test_what_a_condition_asked_for_is_there_in_what_follows_it() -> None:
    words, key = of_alerts(), '"region/" + alert.labels.region'
    assert check(key, words, STRING)[0].message.startswith("not every alert has the label region")
    assert check(key, words, STRING, "has(alert.labels.region)") == ()
    assert check(key, words, STRING, "has(alert.labels.zone)") != ()
    assert check("service.labels.pci == 'yes'", words, BOOL) != (), "an alert may be about no service"


def test_what_an_expression_speaks_of_is_known_with_every_field() -> None:
    assert paths_of('alert.labels["a.b"] == env.name || now.getHours() == 1 || alert.labels.exists(l, l == team)') == {
        ("alert", "labels", "a.b"), ("env", "name"), ("now",), ("alert", "labels"), ("team",),
    }  # fmt: skip
