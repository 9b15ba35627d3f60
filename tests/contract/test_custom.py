"""The custom resources that declared actions make: their definitions are taken, and objects of theirs are served."""

from __future__ import annotations

from typing import Any

import pytest

from chatops.adapters.kubernetes.handle import Writer
from chatops.kernel.errors import Invalid
from chatops.kernel.plan import ObjectRef, Write
from tests.support.crds import definitions

from .kube import APPLY, CRDS, OURS, Kube, owners

pytestmark = pytest.mark.api
DATABASE = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "orders"},
            "spec": {"instances": 2, "storage": {"size": "10Gi"}}}  # fmt: skip
BUCKET = {"apiVersion": "storage.acme.test/v1alpha1", "kind": "Bucket", "metadata": {"name": "orders"},
          "spec": {"region": "eu-1", "versioning": True}}  # fmt: skip
ROUTE = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "orders"},
         "spec": {"hostnames": ["orders.acme.test"], "parentRefs": [{"name": "public"}],
                  "rules": [{"backendRefs": [{"name": "orders", "port": 80}]}]}}  # fmt: skip


async def defined(kube: Kube) -> None:
    for definition in definitions():
        await serve(kube, definition)


async def serve(kube: Kube, definition: dict[str, Any]) -> None:
    """Makes the definition, marked as ours; one that the cluster has from somebody else is left alone."""
    name, metadata = definition["metadata"]["name"], definition["metadata"]
    there = await kube.call("GET", f"{CRDS}/{name}")
    if there.status == 200 and not OURS.items() <= (there.body["metadata"].get("labels") or {}).items():
        pytest.skip(f"the cluster has {name} from somebody else, which is not touched")
    ours = {**definition, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), **OURS}}}
    (await kube.patch(f"{CRDS}/{name}", ours, APPLY, fieldManager="contract", force=True)).ok()
    await kube.until(f"{CRDS}?fieldSelector=metadata.name={name}", lambda found: any(map(is_served, found)), name)


def is_served(definition: dict[str, Any]) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


@pytest.mark.parametrize(
    ("plural", "body"),
    [("clusters", DATABASE), ("buckets", BUCKET), ("httproutes", ROUTE)],
    ids=lambda one: str(one)[:9],
)
async def test_what_declared_actions_make_is_taken_and_kept_as_written(
    kube: Kube, plural: str, body: dict[str, Any]
) -> None:
    await defined(kube)
    path = f"/apis/{body['apiVersion']}/namespaces/{kube.namespace}/{plural}/orders"
    tried = (await kube.patch(path, body, APPLY, fieldManager="contract", dryRun="All")).ok()
    assert tried["spec"] == body["spec"]
    assert (await kube.call("GET", path)).status == 404
    assert (await kube.patch(path, body, APPLY, fieldManager="contract")).ok()["spec"] == body["spec"]


async def test_a_field_that_the_schema_does_not_know_is_refused(kube: Kube) -> None:
    await defined(kube)
    path = f"/apis/postgresql.cnpg.io/v1/namespaces/{kube.namespace}/clusters/orders"
    wrong = {**DATABASE, "spec": {"instances": 2, "colour": "red"}}
    answer = await kube.patch(path, wrong, APPLY, fieldManager="contract", fieldValidation="Strict")
    assert answer.status in (400, 422, 500)
    assert "colour" in answer.message


SHELF = {
    "type": "object",
    "required": ["rows"],
    "properties": {
        "rows": {"type": "integer", "minimum": 1, "maximum": 9},
        "kind": {"type": "string", "enum": ["oak", "pine"], "default": "oak"},
        "label": {"type": "string", "maxLength": 5, "pattern": "^[a-z]+$"},
        "books": {"type": "array", "maxItems": 3, "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "lamp": {"type": "object", "properties": {"watts": {"type": "integer", "default": 40}}},
    },
    "x-kubernetes-validations": [{"rule": "self.rows != 7", "message": "seven is bad luck"}],
}


async def shelves(kube: Kube, spec: dict[str, Any] = SHELF) -> str:
    """Serves a kind with a schema that says much; the path of one that is not there yet."""
    version = {"name": "v1", "served": True, "storage": True,
               "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}  # fmt: skip
    names = {"plural": "shelves", "singular": "shelf", "kind": "Shelf", "listKind": "ShelfList"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "shelves.contract.acme.test"},
        "spec": {"group": "contract.acme.test", "scope": "Namespaced", "names": names, "versions": [version]},
    }  # fmt: skip
    await serve(kube, definition)
    path = f"/apis/contract.acme.test/v1/namespaces/{kube.namespace}/shelves"
    assert (await kube.eventually(lambda: kube.call("GET", path), lambda answer: answer.status == 200)).status == 200
    return f"{path}/mine"


def shelf(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "contract.acme.test/v1", "kind": "Shelf", "metadata": {"name": "mine"}, "spec": spec}


# "Validation" and "Defaulting" of custom resources.
async def test_a_schema_fills_in_its_defaults_which_nobody_applied(kube: Kube) -> None:
    path = await shelves(kube)
    made = (await kube.patch(path, shelf(rows=2), APPLY, fieldManager="one")).ok()
    assert made["spec"] == {"rows": 2, "kind": "oak"}
    assert owners(made)["one/Apply"] == {"f:spec": {"f:rows": {}}}
    lit = (await kube.patch(path, shelf(rows=2, lamp={}), APPLY, fieldManager="one")).ok()
    assert lit["spec"]["lamp"] == {"watts": 40}


@pytest.mark.parametrize(
    ("spec", "field", "reason", "said"),
    [
        ({}, "spec.rows", "FieldValueRequired", "Required value"),
        ({"rows": 0}, "spec.rows", "FieldValueInvalid", "spec.rows in body should be greater than or equal to 1"),
        ({"rows": 10}, "spec.rows", "FieldValueInvalid", "spec.rows in body should be less than or equal to 9"),
        ({"rows": 1, "kind": "fir"}, "spec.kind", "FieldValueNotSupported", 'supported values: "oak", "pine"'),
        ({"rows": 1, "label": "ABC"}, "spec.label", "FieldValueInvalid", "spec.label in body should match '^[a-z]+$'"),
        ({"rows": 1, "label": "abcdef"}, "spec.label", "FieldValueTooLong", "Too long: may not be more than 5 bytes"),
        ({"rows": 1, "books": list("abcd")}, "spec.books", "FieldValueTooMany", "must have at most 3 items"),
    ],
)
async def test_what_a_schema_does_not_allow_is_invalid_with_its_cause(
    kube: Kube, spec: dict[str, Any], field: str, reason: str, said: str
) -> None:
    answer = await kube.patch(await shelves(kube), shelf(**spec), APPLY, fieldManager="one", dryRun="All")
    assert (answer.status, answer.reason) == (422, "Invalid")
    [cause] = [one for one in answer.causes if one["field"] != "<nil>"]  # rules that were not checked because of it
    assert (cause["field"], cause["reason"]) == (field, reason)
    assert said in cause["message"]


async def test_one_item_of_a_set_twice_is_invalid(kube: Kube) -> None:
    path = (await shelves(kube)).removesuffix("/mine")
    answer = await kube.call("POST", path, shelf(rows=1, books=["a", "a"]))
    assert (answer.status, [cause["field"] for cause in answer.causes]) == (422, ["spec.books[1]"])


async def test_rules_that_were_not_checked_yet_are_not_told_to_people(kube: Kube, writer: Writer) -> None:
    """With CEL rules in a schema the API server adds a cause of its own to every other one."""
    path = await shelves(kube)
    ref = ObjectRef(api_version="contract.acme.test/v1", kind="Shelf", namespace=kube.namespace, name="mine")
    with pytest.raises(Invalid) as refused:
        await writer.dry_run(Write(ref=ref, manager="one", body={"spec": {"rows": 10}}))
    assert refused.value.causes == (
        "spec.rows: Invalid value: 10: spec.rows in body should be less than or equal to 9",
    )
    assert "<nil>" not in refused.value.message
    assert (await kube.call("GET", path)).status == 404


async def test_what_is_empty_stays(kube: Kube) -> None:
    """No Go type is behind a custom resource that would leave it out."""
    path = await shelves(kube)
    made = (await kube.patch(path, shelf(rows=1, books=[], tags={}), APPLY, fieldManager="one")).ok()
    assert (made["spec"]["books"], made["spec"]["tags"]) == ([], {})
    assert owners(made)["one/Apply"] == {"f:spec": {"f:rows": {}, "f:tags": {}}}
    posted = await kube.call("POST", path.removesuffix("/mine"), {**shelf(rows=1), "metadata": {"name": "other"}})
    [owned] = owners(posted.ok()).values()
    assert owned == {"f:spec": {".": {}, "f:kind": {}, "f:rows": {}}}


async def test_lists_with_keys_are_merged_in_the_order_that_both_sides_keep(kube: Kube) -> None:
    path = await shelves(kube)
    (await kube.call("POST", path.removesuffix("/mine"), shelf(rows=1, books=["a", "b", "c"]))).ok()
    merged = (await kube.patch(path, shelf(rows=1, books=["c", "a"]), APPLY, fieldManager="one")).ok()
    assert merged["spec"]["books"] == ["b", "c", "a"]


async def test_an_object_that_its_changed_definition_does_not_describe_is_refused_and_no_trouble(
    kube: Kube, writer: Writer
) -> None:
    """Server-side apply says so with 500, until somebody changes the object in another way."""
    path = await shelves(kube, {"type": "object", "properties": {"rows": {"type": "string"}}})
    (await kube.call("POST", path.removesuffix("/mine"), shelf(rows="two"))).ok()
    await shelves(kube)
    answer = await kube.eventually(
        lambda: kube.patch(path, shelf(rows=3), APPLY, fieldManager="one", force=True, dryRun="All"),
        lambda answer: "typed live object" in answer.message,
    )
    assert answer.status == 500
    ref = ObjectRef(api_version="contract.acme.test/v1", kind="Shelf", namespace=kube.namespace, name="mine")
    with pytest.raises(Invalid, match="refuses the object: failed to create typed live object"):
        await writer.dry_run(Write(ref=ref, manager="one", body={"spec": {"rows": 3}}))
