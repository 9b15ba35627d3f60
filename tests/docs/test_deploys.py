"""What docs/deploys.md says to put into Argo CD and Flux is what the doors take."""

from __future__ import annotations

import json

import yaml

from chatops.kernel.catalog import Platform
from chatops.notices.sources import argocd
from tests.docs.pages import ROOT, blocks
from tests.scenarios.test_outside_deploys import ARGOCD

PAGE = ROOT / "docs" / "deploys.md"


def test_the_template_for_argo_cd_gives_a_body_that_is_read() -> None:
    manifest, _ = (list(yaml.safe_load_all(block.text)) for block in blocks(PAGE, "yaml", "manifest"))
    data = manifest[0]["data"]
    body = yaml.safe_load(data["template.platform"])["webhook"]["platform"]["body"]
    filled = body.replace("{{toJson .app}}", json.dumps(ARGOCD["app"])).replace(
        "{{.context.argocdUrl}}", "https://a.test"
    )
    (told,) = argocd.read(filled.encode(), Platform())
    assert told.service == "shop-staging"
    assert {one["send"][0] for one in yaml.safe_load(data["trigger.platform"])} == {"platform"}
    assert yaml.safe_load(data["service.webhook.platform"])["url"].endswith("/hooks/argocd")


def test_the_manifests_for_flux_sign_what_they_send_to_its_door() -> None:
    _, flux = (list(yaml.safe_load_all(block.text)) for block in blocks(PAGE, "yaml", "manifest"))
    assert [one["kind"] for one in flux] == ["Provider", "Alert"]
    assert flux[0]["spec"]["type"] == "generic-hmac"
    assert flux[0]["spec"]["address"].endswith("/hooks/flux")
