"""Which of GitHub's events are deploys, of which service and version; what are releases; and what is left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatops.kernel.alert import Unreadable
from chatops.kernel.catalog import Endpoint, GitHub, Platform, Service, Workflow
from chatops.kernel.commits import Comparison, comparison
from chatops.kernel.deployed import Deployed, Released
from chatops.notices.sources.github import Told, read
from tests.support.github import SHA, release, repository, workflow_run


def acme(*services: Service, **workflow: str) -> Platform:
    """Acme with the cart in a repository of its own, and the workflow that deploys it to staging."""
    known = services or (Service(name="cart", team="shop", repository="acme/cart", tag="v{version}"),)
    flow = Workflow(**{"name": "Deploy to staging", "environment": "staging", **workflow})
    return Platform(services={one.name: one for one in known}, github=GitHub(workflows=(flow,)))


def told(event: str, payload: dict[str, Any], platform: Platform | None = None) -> tuple[Told, ...]:
    return read(event, json.dumps(payload).encode(), platform or acme())


def deployed(payload: dict[str, Any], platform: Platform | None = None) -> Deployed:
    (one,) = told("workflow_run", payload, platform)
    assert isinstance(one, Deployed)
    return one


def test_a_run_of_a_workflow_that_deploys_is_a_deploy_of_the_version_that_its_tag_names() -> None:
    one = deployed(workflow_run())
    assert (one.service, one.environment, one.version, one.stage) == ("cart", "staging", "2.4.0", "running")
    assert (one.by, one.source, one.key) == ("dana-acme", "GitHub Actions", "289782451/1")
    assert one.link == "https://github.test/acme/cart/actions/runs/289782451"
    assert one.at == 1795424280.0


@pytest.mark.parametrize(
    ("conclusion", "stage", "text"),
    [
        ("success", "succeeded", ""), ("failure", "failed", "Deploy to staging: failure"),
        ("timed_out", "failed", "Deploy to staging: timed out"),
        ("cancelled", "failed", "Deploy to staging: cancelled"),
        ("startup_failure", "failed", "Deploy to staging: startup failure"),
    ],
)  # fmt: skip
def test_the_conclusion_says_how_it_ended(conclusion: str, stage: str, text: str) -> None:
    one = deployed(workflow_run("completed", conclusion))
    assert (one.stage, one.text, one.at) == (stage, text, 1795424340.0)


@pytest.mark.parametrize(
    "payload",
    [
        workflow_run("requested"), workflow_run("completed", "skipped"), workflow_run("completed", "action_required"),
        workflow_run(name="Tests"), workflow_run(head_repository=repository("gus/cart")),
        workflow_run(head_repository=None),
    ],
    ids=["queued", "skipped", "waits", "another workflow", "a fork", "a fork that was deleted"],
)  # fmt: skip
def test_a_run_that_deploys_nothing_is_left(payload: dict[str, Any]) -> None:
    assert told("workflow_run", payload) == ()


def test_a_second_attempt_is_another_deploy() -> None:
    assert deployed(workflow_run(run_attempt=2)).key == "289782451/2"


@pytest.mark.parametrize(("branch", "version"), [("main", SHA[:7]), ("fix-the-cart", "fix-the-cart"), (None, SHA[:7])])
def test_of_the_main_branch_the_commit_is_the_version(branch: str | None, version: str) -> None:
    assert deployed(workflow_run(head_branch=branch)).version == version


def test_a_workflow_can_be_of_one_repository_and_of_one_service() -> None:
    assert told("workflow_run", workflow_run(), acme(repository="acme/checkout")) == ()
    cart = Service(name="cart", team="shop")
    assert deployed(workflow_run(), acme(cart, repository="Acme/cart", service="cart")).version == "v2.4.0"


def test_of_several_services_in_a_repository_the_tag_tells_which() -> None:
    several = acme(
        Service(name="cart", team="shop", repository="acme/shop", tag="cart-{version}"),
        Service(name="web", team="shop", repository="acme/shop", tag="web-{version}"),
    )
    shop = {"repository": repository("acme/shop"), "head_repository": repository("acme/shop")}
    run = {**workflow_run(**shop, head_branch="web-7.1"), "repository": shop["repository"]}
    assert (deployed(run, several).service, deployed(run, several).version) == ("web", "7.1")
    run["workflow_run"]["head_branch"] = "main"
    assert (deployed(run, several).service, deployed(run, several).version) == ("shop", SHA[:7])


def test_a_repository_that_the_catalog_does_not_have_is_told_by_its_name() -> None:
    run = workflow_run(head_repository=repository("acme/warehouse"))
    run["repository"] = repository("acme/warehouse")
    assert (deployed(run).service, deployed(run).version) == ("warehouse", "v2.4.0")


def test_a_repository_that_is_called_like_a_service_of_another_one_is_told_apart() -> None:
    elsewhere = acme(Service(name="cart", team="shop", repository="acme/shop"))
    assert deployed(workflow_run(), elsewhere).service == "acme/cart"
    assert told("release", release(), elsewhere) == ()


def test_a_release_is_a_version_with_a_page_and_no_deploy() -> None:
    (one,) = told("release", release())
    assert one == Released("cart", "2.4.0", "https://github.test/acme/cart/releases/tag/v2.4.0", 1795423500.0)
    (gone,) = told("release", release("deleted"))
    assert gone == Released("cart", "2.4.0", "", 1795423500.0)


@pytest.mark.parametrize(
    "payload",
    [release("created", draft=True), release(tag="nightly"), {**release(), "repository": repository("acme/warehouse")}],
    ids=["a draft", "no version", "an unknown repository"],
)
def test_other_releases_are_left(payload: dict[str, Any]) -> None:
    assert told("release", payload) == ()


@pytest.mark.parametrize(
    ("event", "payload", "why"),
    [
        ("workflow_run", {"action": "completed"}, "workflow_run is no object"),
        ("workflow_run", workflow_run(id=None), "needs workflow_run.id"),
        ("workflow_run", workflow_run(updated_at="soon", status="completed", conclusion="success"), "is no time"),
        ("release", {"action": "published", "release": []}, "release is no object"),
        ("release", release(tag=""), "needs release.tag_name"),
    ],
)
def test_what_cannot_be_read_says_why(event: str, payload: dict[str, Any], why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        told(event, payload)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("1.4.1", "1.4.2", ("v1.4.1", "v1.4.2")), ("f95f852", SHA, ("f95f852", SHA)), ("", "1.4.2", None),
        ("1.4.2", "1.4.2", None), ("1.4.1", "sha256:" + "0" * 64, None), ("nginx:1.27", "1.4.2", None),
        ("1.4.1", "1..2", None), ("1.4.1", "<!channel>", None),
    ],
)  # fmt: skip
def test_versions_are_compared_by_their_tags_commits_as_they_are(
    before: str, after: str, found: tuple[str, str] | None
) -> None:
    assert comparison(acme(), "cart", before, after) == (Comparison("acme/cart", *found) if found else None)


def test_what_is_in_no_known_repository_is_not_compared() -> None:
    assert comparison(acme(Service(name="cart", team="shop")), "cart", "1.4.1", "1.4.2") is None
    assert comparison(acme(), "warehouse", "1.4.1", "1.4.2") is None


@pytest.mark.parametrize(
    ("api", "web"),
    [
        ("https://api.github.com", "https://github.com"), ("https://github.acme.test/api/v3/", "https://github.acme.test"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com"),
    ],
)  # fmt: skip
def test_people_look_where_the_api_belongs_to(api: str, web: str) -> None:
    assert GitHub(api=Endpoint(name="github", url=api)).web == web
