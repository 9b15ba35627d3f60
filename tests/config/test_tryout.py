"""``chatops action try FILE``: one action, opened at Acme."""

import asyncio
import re
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from chatops.adapters.configuration.folder import load
from chatops.cli import cli
from chatops.sandbox.cluster import PracticeCluster
from chatops.tryout import Stage, definitions, try_action
from commands import registry
from tests.support.people import Person

HERE = Path(__file__).parent
FILE = HERE / "actions" / "queue.create.yml"


class Said(list):
    """What was said so far, and waiting for more."""

    def __init__(self):
        self._more = asyncio.Event()

    def __call__(self, line):
        self.append(line)
        self._more.set()

    async def has(self, fragment):
        async with asyncio.timeout(30):
            while not any(fragment in line for line in self):
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def tried(file):
    """The sandbox with that one action: what was said, and the page's address."""
    said, stop = Said(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(try_action(file, "127.0.0.1:0", 0.02, said, lambda: stop))
        await said.has("is ready")
        yield said, re.search(r"(http://\S+?)/\?", said[0])[1]
        stop.set()


async def test_the_form_opens_with_the_page_and_only_this_action_is_offered(tmp_path):
    shutil.copytree(HERE / "manifests", tmp_path / "manifests")
    file = Path(shutil.copy(FILE, tmp_path))
    async with tried(file) as (said, url), Person("dana", url) as dana:
        assert "Create a queue is ready" in said[0]
        (command,) = (await dana.api.get("commands", **{"as": "dana"}))["commands"]
        assert [one["text"] for one in command["suggestions"]] == ["/platform queue create"]
        modal = await dana.modal("Create a queue", within=15)
        assert "How many messages" in modal.text
        assert (await dana.api.get("bootstrap", **{"as": "dana"}))["tour"] == []  # it needs actions that are not here


async def test_an_action_that_reaches_into_other_namespaces_runs_there_too():
    file = HERE.parents[1] / "examples" / "acme" / "actions" / "service-create.yml"
    async with tried(file) as (_, url), Person("dana", url) as dana:
        await dana.types("/platform service create gift-cards staging shop 1.0.0 because gifts")
        card = await dana.sees("platform-requests", "Create a service", within=10)
        await card.becomes("SUCCEEDED", "/platform service gift-cards", within=20)


def test_a_namespace_that_is_partly_written_out_is_one_with_an_ending(tmp_path):
    file = HERE.parents[1] / "examples" / "acme" / "actions" / "preview-create.yml"
    stage = Stage(file, tmp_path)
    allowed = load(tmp_path, registry.load()).platform.allowed.namespaces
    assert allowed is not None
    assert {"preview-*", "shop", "shop-staging"} <= set(allowed)
    assert not [one for one in stage.namespaces() if one["metadata"]["name"].startswith("preview")]


async def test_a_changed_file_is_read_again_and_a_mistake_in_it_is_said(tmp_path):
    file = Path(shutil.copy(HERE / "actions" / "database.create.yml", tmp_path))
    async with tried(file) as (said, _):
        for old, new, says in (
            ("title: Create", "title: Make", "was read again"),
            (
                "inputs.size}",
                "inputs.sise}",
                f"{file}:16: step 1 (apply) in ${{inputs.sise}}: unknown",
            ),
        ):
            file.write_text(file.read_text().replace(old, new))
            await said.has(says)


def test_kinds_that_the_practice_cluster_lacks_are_made_known_to_it(tmp_path):
    shutil.copytree(HERE / "manifests", tmp_path / "manifests")
    (tmp_path / "stage").mkdir()
    declaration = Stage(Path(shutil.copy(FILE, tmp_path)), tmp_path / "stage").declaration()
    cluster = PracticeCluster()
    (made,) = definitions(declaration, cluster)
    cluster.registry.add_definition(made)
    assert cluster.registry.of("messaging.acme.test/v1", "Queue") is not None
    assert list(definitions(declaration, cluster)) == []


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (("inputs.tag}", "inputs.tga}"), "queue.create.yml:61: step 4 (job) image: in ${inputs.tga}: unknown field"),
        (None, "nowhere.yml:1: there is no such file"),
    ],
)
def test_what_is_wrong_is_said_like_check_says_it(edit, says, tmp_path):
    shutil.copytree(HERE / "manifests", tmp_path / "manifests")
    file = tmp_path / ("queue.create.yml" if edit else "nowhere.yml")
    if edit:
        file.write_text(FILE.read_text().replace(*edit))
    ran = CliRunner().invoke(cli, ["action", "try", str(file)])
    assert ran.exit_code == 1
    assert f"{tmp_path}/{says}" in ran.output


def test_a_mistake_in_its_manifests_is_told_where_they_stand(tmp_path):
    (tmp_path / "actions").mkdir()
    shutil.copytree(HERE / "manifests", tmp_path / "manifests")
    settings = tmp_path / "manifests" / "queue" / "settings.yml"
    settings.write_text(settings.read_text().replace("inputs.service}", "inputs.servce}", 1))
    ran = CliRunner().invoke(cli, ["action", "try", str(shutil.copy(FILE, tmp_path / "actions"))])
    assert ran.exit_code == 1
    assert f"{settings}:3: the manifest in ${{inputs.servce}}: unknown field inputs.servce" in ran.output
