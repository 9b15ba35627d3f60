"""What differs between two states of one object, as people read it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.diff import changes, holds, masked, removed, same_template, template_of, unified
from chatops.kernel.plan import Change, ObjectRef, Write

Thing = dict[str, Any]


def deployment(**env: str) -> Thing:
    variables = [{"name": name, "value": value} for name, value in {"LOG_LEVEL": "info", **env}.items()]
    app = {"name": "app", "image": "registry.acme.test/shop/checkout:1.4.1", "env": variables}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop", "resourceVersion": "7", "uid": "u1"},
        "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [app]}}},
        "status": {"replicas": 3},
    }


def container(thing: Thing) -> Thing:
    found: Thing = thing["spec"]["template"]["spec"]["containers"][0]
    return found


def fields(found: tuple[Change, ...]) -> list[tuple[str, Any, Any]]:
    return [(change.field, change.before, change.after) for change in found]


def test_a_field_is_named_by_the_path_people_read() -> None:
    before, after = deployment(), deployment(LOG_LEVEL="debug")
    container(after)["image"] = "registry.acme.test/shop/checkout:1.4.2"
    at = "spec.template.spec.containers[app]"
    assert fields(changes(before, after)) == [
        (f"{at}.env[LOG_LEVEL]", "info", "debug"),
        (f"{at}.image", "registry.acme.test/shop/checkout:1.4.1", "registry.acme.test/shop/checkout:1.4.2"),
    ]


def test_what_controllers_and_the_server_keep_is_no_change() -> None:
    before, after = deployment(), deployment()
    after["status"] = {"replicas": 1}
    after["metadata"] |= {
        "resourceVersion": "9", "generation": 4, "managedFields": [{"manager": "x"}],
        "annotations": {"deployment.kubernetes.io/revision": "3", "kubernetes.io/change-cause": "deploy"},
    }  # fmt: skip
    assert changes(before, after) == ()


def test_added_and_removed_variables_are_shown_one_by_one() -> None:
    before, after = deployment(OLD="1"), deployment(NEW="2")
    found = changes(before, after)
    at = "spec.template.spec.containers[app]"
    assert fields(found) == [(f"{at}.env[NEW]", None, "2"), (f"{at}.env[OLD]", "1", None)]
    assert [change.field for change in removed(found)] == [f"{at}.env[OLD]"]


def test_a_reference_is_shown_by_its_parts_and_is_no_secret() -> None:
    before, after = deployment(), deployment()
    reference = {"secretKeyRef": {"name": "psp", "key": "token"}}
    container(after)["env"].append({"name": "PSP_TOKEN", "valueFrom": reference})
    at = "spec.template.spec.containers[app].env[PSP_TOKEN].valueFrom.secretKeyRef"
    assert fields(changes(before, after)) == [(f"{at}.key", None, "token"), (f"{at}.name", None, "psp")]


@pytest.mark.parametrize("name", ["DB_PASSWORD", "psp_token", "API-KEY", "ClientSecret", "PRIVATE_KEY", "DB_PASS"])
def test_values_that_look_secret_are_masked_and_their_change_is_still_said(name: str) -> None:
    found = changes(deployment(**{name: "hunter2"}), deployment(**{name: "hunter3"}))
    assert len(found) == 1
    assert "hunter" not in repr(found)
    assert found[0].before != found[0].after


@pytest.mark.parametrize("name", ["PASSENGERS", "KEYBOARD", "LOG_LEVEL", "COMPASS"])
def test_harmless_names_are_shown(name: str) -> None:
    assert changes(deployment(), deployment(**{name: "three"}))[0].after == "three"


def test_a_password_inside_an_address_is_masked() -> None:
    found = changes(deployment(), deployment(DATABASE_URL="postgres://app:hunter2@db:5432/shop"))
    assert "hunter2" not in repr(found)
    assert "db:5432/shop" in str(found[0].after)


def test_keys_with_dots_stand_in_brackets() -> None:
    after = deployment()
    after["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    path = "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]"
    assert fields(changes(deployment(), after)) == [(path, None, "now")]


def test_ports_and_mounts_are_told_apart_by_number_and_path() -> None:
    before, after = deployment(), deployment()
    container(before).update(ports=[{"containerPort": 8080}], volumeMounts=[{"name": "v", "mountPath": "/a"}])
    container(after)["ports"] = [{"containerPort": 8080}, {"containerPort": 8080, "protocol": "UDP", "name": "dns"}]
    container(after)["volumeMounts"] = [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]
    at = "spec.template.spec.containers[app]"
    assert [change.field for change in changes(before, after)] == [
        f"{at}.ports[8080/UDP].name",
        f"{at}.ports[8080/UDP].protocol",
        f"{at}.volumeMounts[/b].name",
    ]


def test_lists_without_keys_are_compared_whole() -> None:
    before, after = deployment(), deployment()
    container(before)["args"], container(after)["args"] = ["a", "b"], ["a", "c"]
    assert fields(changes(before, after)) == [("spec.template.spec.containers[app].args", ["a", "b"], ["a", "c"])]


def test_the_whole_diff_reads_like_a_patch() -> None:
    text = unified(changes(deployment(), deployment(LOG_LEVEL="debug")))
    assert text.splitlines() == [
        "@@ Deployment/checkout @@",
        " spec.template.spec.containers[app].env[LOG_LEVEL]",
        "-  info",
        "+  debug",
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.[", max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(values, values)
def test_equal_states_differ_in_nothing_and_unequal_ones_in_something(one: Any, other: Any) -> None:
    def thing(value: Any) -> Thing:
        return {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"anything": value}}

    assert changes(thing(one), copy.deepcopy(thing(one))) == ()
    found = changes(thing(one), thing(other))
    assert changes(thing(one), thing(other)) == found
    if one != other and not _only_order_or_emptiness(one, other):
        assert found


def _only_order_or_emptiness(one: Any, other: Any) -> bool:
    """JSON null and absence are one to Kubernetes; so are Python's 1 and True, which JSON tells apart."""
    return bool(_bare(one) == _bare(other))


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: bare for key, item in value.items() if (bare := _bare(item)) is not None}
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return value


@given(values)
def test_masking_twice_is_masking_once(value: Any) -> None:
    once = masked("spec.anything", value)
    assert masked("spec.anything", once) == once


def test_a_template_is_the_same_whatever_label_the_controller_adds() -> None:
    replicaset = deployment()
    replicaset["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = "abc"
    assert same_template(deployment(), replicaset)
    assert "pod-template-hash" in replicaset["spec"]["template"]["metadata"]["labels"]
    assert "pod-template-hash" not in template_of(replicaset)["metadata"]["labels"]
    assert not same_template(deployment(), deployment(LOG_LEVEL="debug"))


def write(image: str) -> Write:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}
    ref = ObjectRef(kind="Deployment", namespace="shop", name="checkout")
    return Write(ref=ref, manager="chatops-deploy", body=body)


def test_a_write_stands_only_when_its_values_and_its_name_are_there() -> None:
    live = deployment()
    live["metadata"]["managedFields"] = [{"manager": "chatops-deploy", "operation": "Apply"}]
    assert holds(live, write("registry.acme.test/shop/checkout:1.4.1"))
    assert not holds(live, write("registry.acme.test/shop/checkout:1.4.2"))
    live["metadata"]["managedFields"] = [{"manager": "kubectl-set", "operation": "Update"}]
    assert not holds(live, write("registry.acme.test/shop/checkout:1.4.1"))
