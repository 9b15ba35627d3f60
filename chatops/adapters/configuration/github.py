"""``github:``: where its API is, and which of its workflows deploy."""

from __future__ import annotations

from chatops.adapters.configuration.endpoints import holds_login, reference
from chatops.adapters.configuration.fields import REPOSITORY, URL, Fields, suggestion
from chatops.kernel.catalog import GitHub, Platform, Workflow


def github(root: Fields, platform: Platform) -> GitHub:
    """The section as it is given; what it names has to be in the catalog."""
    node = root.get("github")
    if node is None:
        return GitHub()
    fields = Fields(node, "github", root.problems)
    fields.only("api", "token", "workflows")
    api = GitHub().api
    url = fields.text("api", pattern=URL, like="an address like https://github.acme.test/api/v3")
    if holds_login(url):
        fields.wrong(fields.line("api"), "has a login in its api: say where a token stands, as token")
    workflows = []
    for one in fields.items("workflows", "workflows"):
        inner = Fields(one, "github workflow", root.problems, one.line)
        workflows.append(_workflow(inner, platform))
    return GitHub(
        api=api.model_copy(update={"url": url or api.url, "token": reference(fields, "token")}),
        workflows=tuple(workflows),
    )


def _workflow(fields: Fields, platform: Platform) -> Workflow:
    fields.only("name", "environment", "repository", "service")
    environment = fields.text("environment", required=True, like="an environment of this file")
    service = fields.text("service")
    if environment and environment not in platform.environments:
        there = suggestion(environment, platform.environments)
        fields.wrong(fields.line("environment"), f"deploys to {environment}, which there is not{there}")
    if service and service not in platform.services:
        there = suggestion(service, platform.services)
        fields.wrong(fields.line("service"), f"deploys {service}, which there is not{there}")
    return Workflow(
        name=fields.text("name", required=True, like="the workflow's name on GitHub"),
        environment=environment,
        repository=fields.text("repository", pattern=REPOSITORY, like="written as owner/name"),
        service=service,
    )
