"""Pages by e-mail, over SMTP (RFC 5321); aiosmtplib is the extra ``mail``, imported only when a mail is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit

from chatops.kernel.errors import PlatformError, Refused, Unavailable
from chatops.kernel.pages import Page

VARIABLE = "CHATOPS_SMTP_URL"
TIMEOUT = 20.0  # seconds for the whole conversation
PORTS = {"smtp": 587, "smtps": 465}
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Mail:
    """``kernel.pages.PagePath``: one mail server, which is reached by TLS unless it is on this machine."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False  # from the first byte on (smtps); else by STARTTLS
    timeout: float = TIMEOUT

    @classmethod
    def from_url(cls, url: str) -> Mail:
        """From ``smtp://user:password@host:587?from=chatops@acme.test``; raises ``PlatformError`` without the URL."""
        like = f"{VARIABLE} should be like smtp://user:password@mail.acme.test:587?from=chatops@acme.test"
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme, 0)
        except ValueError:
            raise PlatformError(like) from None
        sender = (parse_qs(parts.query).get("from") or [""])[0]
        if parts.scheme not in PORTS or not parts.hostname or "@" not in sender or not sender.isprintable():
            raise PlatformError(like)
        return cls(
            host=parts.hostname, port=port, sender=sender, user=unquote(parts.username or ""),
            password=unquote(parts.password or ""), tls=parts.scheme == "smtps",
        )  # fmt: skip

    async def send(self, page: Page) -> None:
        """``kernel.pages.PagePath.send``."""
        try:
            import aiosmtplib
        except ModuleNotFoundError as missing:
            raise Refused("aiosmtplib is not installed (the extra `mail`)") from missing
        try:
            await aiosmtplib.send(
                self._message(page), hostname=self.host, port=self.port, username=self.user or None,
                password=self.password or None, use_tls=self.tls, start_tls=self._start_tls(), timeout=self.timeout,
            )  # fmt: skip
        except aiosmtplib.SMTPRecipientsRefused as no:
            codes = [one.code for one in no.recipients]
            if any(code < 500 for code in codes):
                raise Unavailable(f"the mail server answered {min(codes)}") from no
            raise Refused(f"the mail server does not take mail for {page.email} ({codes[0]})") from no
        except aiosmtplib.SMTPResponseException as no:
            why = f"the mail server answered {no.code}"
            raise (Refused(why) if 500 <= no.code < 600 else Unavailable(why)) from no
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as away:
            raise Unavailable(f"the mail server could not be reached ({type(away).__name__})") from away

    def _start_tls(self) -> bool | None:
        """Needed unless the server is on this machine, where it is used when it is offered."""
        return None if self.tls or self.host in LOOPBACK else True

    def _message(self, page: Page) -> EmailMessage:
        """The Message-ID comes from the page's id, so that a mail that was sent twice is one in most mailboxes."""
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = page.email
        message["Subject"] = " ".join(page.subject.split())[:200]
        message["Date"] = formatdate()
        domain = self.sender.rpartition("@")[2]
        message["Message-ID"] = f"<{''.join(one if one.isalnum() else '.' for one in page.id)}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Priority"] = "1"
        message.set_content(page.text)
        return message
