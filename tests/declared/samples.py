"""Declarations that the tests share: the issue's database, and small ones made for one question."""

from __future__ import annotations

from typing import Any

from chatops.kernel.declaration import Declaration, DeclaredInput, DeclaredStep, Rule

DATABASE = Declaration(
    name="database.create",
    title="Create a PostgreSQL database",
    inputs=(
        DeclaredInput(name="service", type="service"),
        DeclaredInput(name="environment", type="environment"),
        DeclaredInput(
            name="size", type="choice", options={"small": "10Gi", "medium": "50Gi", "large": "200Gi"}, default="small"
        ),
        DeclaredInput(
            name="replicas", type="integer", minimum=1, maximum=3, default=2, show_when='env.tier == "production"'
        ),
    ),
    rules=(
        Rule(
            check='env.tier != "production" || inputs.replicas > 1',
            message="Production needs at least two replicas.",
            field="replicas",
        ),
    ),
    steps=(
        DeclaredStep(
            kind="apply",
            templates=(
                {
                    "apiVersion": "postgresql.cnpg.io/v1",
                    "kind": "Cluster",
                    "metadata": {"name": "${inputs.service}-db", "namespace": "${env.namespace}"},
                    "spec": {"instances": "${inputs.replicas}", "storage": {"size": "${inputs.size}"}},
                },
            ),
            undo=(DeclaredStep(kind="remove", object="Cluster.postgresql.cnpg.io/${inputs.service}-db"),),
        ),
        DeclaredStep(
            kind="wait",
            object="Cluster.postgresql.cnpg.io/${inputs.service}-db",
            until="object.status.readyInstances == inputs.replicas",
        ),
    ),
    outputs={"host": "${inputs.service}-db-rw.${env.namespace}"},
    expires=30 * 86400.0,
)


def asking(*inputs: DeclaredInput, **more: Any) -> Declaration:
    """A declaration with these inputs."""
    return Declaration(name="thing.make", title="Make a thing", inputs=inputs, **more)


def config_map(name: Any = "settings", data: Any = None, **metadata: Any) -> dict[str, Any]:
    """A template of a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {}}


def applying(*templates: dict[str, Any], **more: Any) -> DeclaredStep:
    """A step that applies templates."""
    return DeclaredStep(kind="apply", templates=templates, **more)
