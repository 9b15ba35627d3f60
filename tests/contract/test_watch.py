"""Lists, pages and watches. Expected answers: Kubernetes documentation, "Kubernetes API Concepts"."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from kubernetes.aio import client, watch

from .kube import MERGE, Kube, Obj, config_map

pytestmark = pytest.mark.api


async def put(kube: Kube, name: str, **labels: str) -> Obj:
    body = config_map(name, a="1")
    body["metadata"]["labels"] = {"made-by": "contract", **labels}
    return await kube.create("configmaps", body)


OURS = {"labelSelector": "made-by=contract"}


async def collect(events: AsyncIterator[Obj], count: int, deadline: float) -> list[Obj]:
    found: list[Obj] = []

    async def read() -> None:
        async for event in events:
            found.append(event)
            if len(found) == count:
                return

    await asyncio.wait_for(read(), deadline)
    return found


def kinds(events: list[Obj]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


# "Efficient detection of changes": list, then watch from the list's version; nothing is missed between the two.
async def test_a_watch_from_a_list_shows_every_later_change(kube: Kube) -> None:
    await put(kube, "a")
    listed = await kube.get(kube.path("configmaps"), **OURS)
    await put(kube, "b")
    await kube.patch(kube.path("configmaps", "a"), {"data": {"a": "2"}}, MERGE)
    await kube.call("DELETE", kube.path("configmaps", "b"))
    events = kube.watch(kube.path("configmaps"), resourceVersion=listed["metadata"]["resourceVersion"], **OURS)
    got = await collect(events, 3, kube.deadline)
    assert kinds(got) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in got]
    assert versions == sorted(versions)
    assert got[1]["object"]["data"] == {"a": "2"}


# "Semantics for watch": without a version it starts with synthetic ADDED events of what is there.
async def test_a_watch_without_a_version_starts_with_what_is_there(kube: Kube) -> None:
    await put(kube, "a")
    await put(kube, "b")
    got = await collect(kube.watch(kube.path("configmaps"), **OURS), 2, kube.deadline)
    assert sorted(kinds(got)) == [("ADDED", "a"), ("ADDED", "b")]


async def test_an_object_that_enters_or_leaves_a_selector_is_added_or_deleted(kube: Kube) -> None:
    await put(kube, "a", tier="back")
    version = (await kube.get(kube.path("configmaps")))["metadata"]["resourceVersion"]
    path = kube.path("configmaps", "a")
    await kube.patch(path, {"metadata": {"labels": {"tier": "front"}}}, MERGE)
    await kube.patch(path, {"metadata": {"labels": {"tier": "back"}}}, MERGE)
    events = kube.watch(kube.path("configmaps"), resourceVersion=version, labelSelector="tier=front")
    assert kinds(await collect(events, 2, kube.deadline)) == [("ADDED", "a"), ("DELETED", "a")]


async def test_one_object_can_be_watched_by_its_name(kube: Kube) -> None:
    await put(kube, "a")
    version = (await put(kube, "b"))["metadata"]["resourceVersion"]
    await kube.patch(kube.path("configmaps", "a"), {"data": {"a": "2"}}, MERGE)
    await kube.patch(kube.path("configmaps", "b"), {"data": {"a": "2"}}, MERGE)
    events = kube.watch(kube.path("configmaps"), resourceVersion=version, fieldSelector="metadata.name=b")
    assert kinds(await collect(events, 1, kube.deadline)) == [("MODIFIED", "b")]


async def test_the_server_ends_a_watch_after_its_timeout(kube: Kube) -> None:
    version = (await put(kube, "a"))["metadata"]["resourceVersion"]
    events = kube.watch(kube.path("configmaps"), resourceVersion=version, timeoutSeconds=1, **OURS)
    assert await collect(events, 99, kube.deadline) == []


# "Watch bookmarks": also what the selector leaves out moves the version on.
async def test_a_bookmark_carries_a_version_and_nothing_else(kube: Kube) -> None:
    version = (await put(kube, "a"))["metadata"]["resourceVersion"]
    other = await kube.create("configmaps", config_map("other", a="1"))
    events = kube.watch(
        kube.path("configmaps"), resourceVersion=version, timeoutSeconds=3, allowWatchBookmarks=True, **OURS
    )
    [mark] = await collect(events, 1, kube.deadline)
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["kind"] == "ConfigMap"
    assert int(mark["object"]["metadata"]["resourceVersion"]) >= int(other["metadata"]["resourceVersion"])
    assert "data" not in mark["object"]


# "Streaming lists".
async def test_a_streaming_list_ends_its_first_part_with_a_marked_bookmark(kube: Kube) -> None:
    await put(kube, "a")
    events = kube.watch(
        kube.path("configmaps"), sendInitialEvents=True, resourceVersionMatch="NotOlderThan", allowWatchBookmarks=True,
        **OURS,
    )  # fmt: skip
    added, mark = await collect(events, 2, kube.deadline)
    assert kinds([added]) == [("ADDED", "a")]
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


# "410 Gone responses": a resource served only from now on has no history before now.
async def test_a_watch_from_a_forgotten_version_is_gone(kube: Kube) -> None:
    group = f"t{secrets.token_hex(4)}.acme.test"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
           "metadata": {"name": f"widgets.{group}"},
           "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}}  # fmt: skip
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    (await kube.call("POST", definitions, crd)).ok()
    try:
        path = f"/apis/{group}/v1/namespaces/{kube.namespace}/widgets"
        listed = await kube.eventually(lambda: kube.call("GET", path), lambda answer: answer.status == 200)
        assert listed.ok()["kind"] == "WidgetList"
        widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 3}}
        created = (await kube.call("POST", path, widget, fieldManager="tester")).ok()
        assert created["spec"] == {"size": 3}
        [event] = await collect(kube.watch(path, resourceVersion="1"), 1, kube.deadline)
        assert event["type"] == "ERROR"
        assert (event["object"]["kind"], event["object"]["code"]) == ("Status", 410)
        assert event["object"]["reason"] in ("Expired", "Gone")
    finally:
        await kube.call("DELETE", f"{definitions}/widgets.{group}")


async def test_the_clients_own_watch_reads_typed_objects(kube: Kube) -> None:
    """Roles: the part of the client that has them is loaded in a fifth of the time that the core's takes."""
    rights = client.RbacAuthorizationV1Api(kube.api)
    first, _ = [
        await rights.create_namespaced_role(
            kube.namespace, {"metadata": {"name": name, "labels": {"made-by": "contract"}}, "rules": []}
        )
        for name in ("a", "b")
    ]
    async with watch.Watch() as watching:
        stream = watching.stream(
            rights.list_namespaced_role,
            kube.namespace,
            resource_version=first.metadata.resource_version,
            timeout_seconds=30,
            label_selector="made-by",
        )
        event = await asyncio.wait_for(anext(stream), kube.deadline)
    assert (event["type"], event["object"].metadata.name) == ("ADDED", "b")


# "Retrieving large results sets in chunks".
async def test_a_long_list_comes_in_pages(kube: Kube) -> None:
    for i in range(5):
        await put(kube, f"c{i}")
    path = kube.path("configmaps")
    first = await kube.get(path, limit=2)
    names = [item["metadata"]["name"] for item in first["items"]]
    token, version = first["metadata"]["continue"], first["metadata"]["resourceVersion"]
    while token:
        page = await kube.get(path, limit=2, **{"continue": token})
        assert page["metadata"]["resourceVersion"] == version
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue")
    assert [name for name in names if name.startswith("c")] == ["c0", "c1", "c2", "c3", "c4"]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("team=shop", ["a"]),
        ("team!=shop,made-by", ["b", "c"]),
        ("team in (shop,bank)", ["a", "b"]),
        ("team notin (shop),made-by", ["b", "c"]),
        ("!team,made-by", ["c"]),
        ("team", ["a", "b"]),
    ],
)
async def test_label_selectors_choose(kube: Kube, selector: str, found: list[str]) -> None:
    """ "Labels and Selectors": equality-based and set-based requirements."""
    await put(kube, "a", team="shop")
    await put(kube, "b", team="bank")
    await put(kube, "c")
    listed = await kube.get(kube.path("configmaps"), labelSelector=selector)
    assert [item["metadata"]["name"] for item in listed["items"]] == found


@pytest.mark.parametrize(
    ("plural", "said"),
    [
        ("configmaps", '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ("replicasets", '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ("pods", "field label not supported: data.a"),
        ("jobs", 'field label "data.a" not supported for batchv1.Job'),
    ],
)
async def test_a_field_that_is_not_selectable_is_a_bad_request(kube: Kube, plural: str, said: str) -> None:
    answer = await kube.call("GET", kube.path(plural), fieldSelector="data.a=1")
    assert (answer.status, answer.reason, answer.message) == (400, "BadRequest", said)


async def test_events_are_found_by_the_object_they_are_about(kube: Kube) -> None:
    for name in ("web", "api"):
        about = {"kind": "Deployment", "name": name, "namespace": kube.namespace}
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": f"{name}.1"}, "involvedObject": about,
                 "reason": "Test", "message": "for a test", "type": "Normal"}  # fmt: skip
        await kube.create("events", event)
    selector = "involvedObject.kind=Deployment,involvedObject.name=web"
    listed = await kube.get(kube.path("events"), fieldSelector=selector)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["web.1"]


async def test_discovery_lists_what_clients_look_for(kube: Kube) -> None:
    """ "API Discovery"."""
    assert (await kube.get("/version"))["major"] == "1"
    assert (await kube.get("/api"))["versions"] == ["v1"]
    groups = {group["name"]: group["preferredVersion"]["version"] for group in (await kube.get("/apis"))["groups"]}
    wanted = {"apps": "v1", "batch": "v1", "autoscaling": "v2", "policy": "v1", "networking.k8s.io": "v1",
              "rbac.authorization.k8s.io": "v1", "coordination.k8s.io": "v1", "apiextensions.k8s.io": "v1"}  # fmt: skip
    assert wanted.items() <= groups.items()
    listed = {item["name"]: item for item in (await kube.get("/apis/apps/v1"))["resources"]}
    assert listed["deployments"]["kind"] == "Deployment"
    assert listed["deployments"]["namespaced"] is True
    assert "patch" in listed["deployments"]["verbs"]
    assert listed["deployments/scale"]["group"] == "autoscaling"
    core = {item["name"] for item in (await kube.get("/api/v1"))["resources"]}
    assert {"pods", "pods/log", "events", "secrets", "configmaps", "namespaces", "resourcequotas"} <= core
    assert (await kube.call("GET", "/apis/no.such.group/v1/things")).status == 404


async def test_a_review_answers_what_one_may(kube: Kube) -> None:
    """ "Authorization: checking API access"."""
    attributes = {"namespace": kube.namespace, "verb": "patch", "group": "apps", "resource": "deployments"}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
              "spec": {"resourceAttributes": attributes}}  # fmt: skip
    answer = await kube.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert answer.status == 201
    assert answer.body["status"]["allowed"] is True
    who = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await kube.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", who)
    assert answer.ok()["status"]["userInfo"]["username"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "many"},
        {"watch": True, "timeoutSeconds": "soon"},
        {"labelSelector": "a in b"},
        {"continue": "nonsense"},
    ],
)
async def test_a_parameter_that_cannot_be_read_is_a_bad_request(kube: Kube, query: Obj) -> None:
    answer = await kube.call("GET", kube.path("configmaps"), **query)
    assert (answer.status, answer.reason) == (400, "BadRequest")
