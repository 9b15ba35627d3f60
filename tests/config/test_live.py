"""A configuration that changes while running: valid ones replace, invalid ones are refused and told once."""

import asyncio
import os

import pytest

from chatops.adapters.configuration import ConfigurationError, LiveConfiguration
from commands.declared import action_of
from tests.config.acme import ACTIONS, acme


class StepClock:
    """A clock that sleeps until it is told to go on."""

    def __init__(self):
        self._steps = asyncio.Queue()
        self._asleep = asyncio.Event()

    def now(self):
        return 0.0

    async def sleep(self, seconds):
        self._asleep.set()
        await self._steps.get()

    async def step(self, times=1):
        for _ in range(times):
            await self._asleep.wait()
            self._asleep.clear()
            self._steps.put_nowait(None)
            async with asyncio.timeout(10):
                await self._asleep.wait()


class Watched:
    def __init__(self, folder):
        self.folder, self.clock = folder, StepClock()
        self.live = LiveConfiguration(folder, ACTIONS, self.clock, action_of)
        self.changed, self.refused, self.repaired, self.fail = [], [], 0, False

    async def on_change(self, platform):
        if self.fail:
            raise ConnectionError("Slack is away")
        self.changed.append(platform)

    async def on_refused(self, problems):
        self.refused.append([problem.message for problem in problems])

    async def on_repaired(self):
        self.repaired += 1


@pytest.fixture
async def watched(tmp_path):
    one = Watched(acme(tmp_path))
    task = asyncio.create_task(one.live.watch(one.on_change, one.on_refused, one.on_repaired))
    yield one
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


TITLE = "description: Takes the money\n"
OTHER = (TITLE, "description: Takes all the money\n")
BROKEN = ("team: payments\n", "team: nobody\n")


async def test_a_valid_change_replaces_the_configuration_once(watched):
    before = watched.live.platform
    acme(watched.folder, OTHER)
    await watched.clock.step(5)
    assert watched.live.platform.services["checkout"].description == "Takes all the money"
    assert [platform.digest for platform in watched.changed] == [watched.live.platform.digest]
    assert watched.live.platform.digest != before.digest


async def test_an_invalid_change_is_refused_and_told_once(watched):
    before = watched.live.platform
    acme(watched.folder, BROKEN)
    await watched.clock.step(6)
    assert watched.live.platform is before
    assert len(watched.refused) == 1
    assert "belongs to team nobody, which there is not" in watched.refused[0][0]
    assert watched.changed == []


async def test_another_mistake_is_told_anew_and_the_same_after_a_repair_too(watched):
    for edits in ([BROKEN], [BROKEN, OTHER], [], [BROKEN]):
        acme(watched.folder, *edits)
        await watched.clock.step(3)
    assert len(watched.refused) == 3
    assert watched.changed == []  # the repair brought back what held anyway
    assert watched.repaired == 1


async def test_a_folder_that_disappears_keeps_the_last_good_configuration_and_comes_back(watched):
    before = watched.live.platform
    (watched.folder / "platform.yml").unlink()
    await watched.clock.step(4)
    assert watched.live.platform is before
    assert len(watched.refused) == 1
    acme(watched.folder, OTHER)
    await watched.clock.step(3)
    assert len(watched.changed) == 1


async def test_a_file_that_is_still_being_written_is_not_read(watched):
    text = (watched.folder / "platform.yml").read_text()
    for length in (200, 400, 600):
        (watched.folder / "platform.yml").write_text(text[:length])
        await watched.clock.step()
    (watched.folder / "platform.yml").write_text(text.replace(*OTHER))
    await watched.clock.step(3)
    assert watched.refused == []
    assert len(watched.changed) == 1


async def test_a_touched_file_changes_nothing(watched):
    os.utime(watched.folder / "platform.yml", ns=(1, 1))
    await watched.clock.step(4)
    assert watched.changed == watched.refused == []
    assert watched.repaired == 0


async def test_watching_goes_on_when_telling_about_a_change_failed(watched, caplog):
    watched.fail = True
    acme(watched.folder, OTHER)
    await watched.clock.step(3)
    assert watched.live.platform.services["checkout"].description == "Takes all the money"
    assert "telling about it failed" in caplog.text
    watched.fail = False
    acme(watched.folder)
    await watched.clock.step(3)
    assert len(watched.changed) == 1


def test_it_does_not_start_with_an_invalid_configuration(tmp_path):
    with pytest.raises(ConfigurationError, match="belongs to team nobody"):
        Watched(acme(tmp_path, BROKEN))


# declared actions

TOPIC = "name: topic.create\ntitle: {}\nsteps: [{{remove: {{object: ConfigMap/old, namespace: shop}}}}]\n"


async def test_an_action_that_is_added_changed_and_removed_takes_effect_without_a_restart(watched):
    actions = watched.live.actions
    file = watched.folder / "actions" / "topic.yml"
    file.parent.mkdir()
    file.write_text(TOPIC.format("Create a topic"))
    await watched.clock.step(3)
    assert (actions["topic.create"].title, list(actions)) == ("Create a topic", [*ACTIONS, "topic.create"])
    file.write_text(TOPIC.format("Make a topic"))
    await watched.clock.step(3)
    assert actions["topic.create"].title == "Make a topic"
    file.unlink()
    await watched.clock.step(3)
    assert "topic.create" not in actions
    assert len(actions) == len(ACTIONS)
    assert len(watched.changed) == 3


async def test_one_broken_action_leaves_every_other_as_it_was(watched):
    (watched.folder / "actions").mkdir()
    (watched.folder / "actions" / "topic.yml").write_text(TOPIC.format("Create a topic"))
    await watched.clock.step(3)
    before = watched.live.actions["topic.create"]
    (watched.folder / "actions" / "topic.yml").write_text(TOPIC.format("Make a topic"))
    (watched.folder / "actions" / "broken.yml").write_text("name: broken\n")
    await watched.clock.step(3)
    assert watched.live.actions["topic.create"] is before
    (problems,) = watched.refused
    assert "the action needs steps: a list of apply, wait, job and remove" in problems


async def test_who_goes_through_the_actions_while_they_change_sees_one_state(watched):
    values = watched.live.actions.values()
    (watched.folder / "actions").mkdir()
    (watched.folder / "actions" / "topic.yml").write_text(TOPIC.format("Create a topic"))
    await watched.clock.step(3)
    assert len(list(values)) == len(ACTIONS)
    assert len(watched.live.actions.values()) == len(ACTIONS) + 1


async def test_a_manifest_that_changes_is_a_change_of_the_action(watched):
    for name in ("actions", "manifests"):
        (watched.folder / name).mkdir()
    manifest = watched.folder / "manifests" / "topic.yml"
    manifest.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: topic, namespace: shop}\n")
    (watched.folder / "actions" / "topic.yml").write_text(
        "name: topic.create\ntitle: Create a topic\nsteps: [{apply: {folder: manifests/}}]\n"
    )
    await watched.clock.step(3)
    before = watched.live.actions["topic.create"].pinned
    manifest.write_text(manifest.read_text() + "data: {a: b}\n")
    await watched.clock.step(3)
    assert before != watched.live.actions["topic.create"].pinned
