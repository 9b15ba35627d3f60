"""What the environment says, and what is said where it says something wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatops.adapters.mail import Mail
from chatops.adapters.signing import make_key
from chatops.kernel.errors import PlatformError
from chatops.settings import Settings

GIVEN = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "2"}


@pytest.mark.parametrize(
    "url",
    [
        "mail.acme.test",
        "smtp://mail.acme.test",
        "smtp://mail.acme.test:many?from=a@acme.test",
        "http://mail.acme.test?from=a@acme.test",
        "smtp://?from=a@acme.test",
        "smtp://mail.acme.test?from=a%0Aacme@x",
    ],
)
def test_an_address_that_is_no_mail_server_is_refused_without_its_password(url: str) -> None:
    url = url.replace("://", "://olu:canary-4711@", 1)
    with pytest.raises(PlatformError, match="CHATOPS_SMTP_URL should be like") as no:
        Settings.from_environment(Path("."), {**GIVEN, "CHATOPS_SMTP_URL": url})
    assert "canary" not in str(no.value)


def test_a_mail_server_is_read_with_what_is_escaped_and_shows_no_password() -> None:
    mail = Mail.from_url("smtps://olu%40acme:p%2Fw@mail.acme.test?from=chatops@acme.test")
    assert (mail.host, mail.port, mail.user, mail.password) == ("mail.acme.test", 465, "olu@acme", "p/w")
    assert mail.tls
    given = {**GIVEN, "CHATOPS_SMTP_URL": "smtp://a:p%2Fw@b?from=c@d"}
    assert "p/w" not in repr(Settings.from_environment(Path("."), given))


@pytest.mark.parametrize(("host", "needed"), [("mail.acme.test", True), ("127.0.0.1", None)])
def test_a_mail_server_elsewhere_is_spoken_to_by_tls_alone(host: str, needed: bool | None) -> None:
    assert Mail.from_url(f"smtp://{host}?from=chatops@acme.test")._start_tls() is needed


def test_a_webhook_for_pages_needs_its_secret() -> None:
    with pytest.raises(PlatformError, match="go together"):
        Settings.from_environment(Path("."), {**GIVEN, "CHATOPS_PAGE_HOOK_URL": "https://ring.acme.test"})


def test_a_key_for_the_audit_trail_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    given = {**GIVEN, "CHATOPS_AUDIT_KEY": str(tmp_path / "none.pem")}
    with pytest.raises(PlatformError, match=r"none\.pem cannot be read"):
        Settings.from_environment(Path("."), given)
    make_key(tmp_path / "none.pem")
    settings = Settings.from_environment(Path("."), given)
    assert settings.signer is not None
    assert settings.signer.key not in repr(settings)
