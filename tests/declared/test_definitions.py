"""The kinds that declared actions need are the same in the demo and in the tests against a real cluster."""

from __future__ import annotations

from pathlib import Path

from tests.support import yml
from tests.support.crds import definitions

CLUSTER = Path(__file__).parents[2] / "examples" / "acme" / "cluster.yml"


def test_the_demo_has_the_kinds_that_are_tried_on_a_real_cluster() -> None:
    there = [one for one in yml.load_all(CLUSTER.read_text()) if one["kind"] == "CustomResourceDefinition"]
    assert sorted(there, key=str) == sorted(definitions(), key=str)
