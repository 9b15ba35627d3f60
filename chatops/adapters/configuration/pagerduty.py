"""``pagerduty:``: how PagerDuty is spoken to, and what its services are here."""

from __future__ import annotations

from chatops.adapters.configuration.fields import EMAIL, URL, Fields, suggestion
from chatops.kernel.catalog import PagerDuty, PagerDutyService, Platform


def pagerduty(root: Fields, platform: Platform) -> PagerDuty:
    """The section as it is given; what it names has to be in the catalog."""
    node = root.get("pagerduty")
    if node is None:
        return PagerDuty()
    fields = Fields(node, "pagerduty", root.problems)
    fields.only("url", "from", "pages", "services")
    services = {}
    for name, inner, line in fields.entries("services", "services"):
        one = Fields(inner, f"pagerduty service {name!r}", root.problems, line)
        one.only("service", "environment")
        service, environment = (
            one.text("service", required=True, like="a service of this file"),
            one.text("environment"),
        )
        if service and service not in platform.services:
            one.wrong(one.line("service"), f"is {service}, which there is not{suggestion(service, platform.services)}")
        if environment and environment not in platform.environments:
            there = suggestion(environment, platform.environments)
            one.wrong(one.line("environment"), f"is in {environment}, which there is not{there}")
        services[name] = PagerDutyService(service=service, environment=environment)
    return PagerDuty(
        url=fields.text("url", pattern=URL, like="an address like https://api.eu.pagerduty.com") or PagerDuty().url,
        sender=fields.text("from", pattern=EMAIL, like="the e-mail of a user of PagerDuty"),
        pages=fields.flag("pages", False),
        services=services,
    )
