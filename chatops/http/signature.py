"""Whether a request comes from Slack: https://docs.slack.dev/authentication/verifying-requests-from-slack"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

WINDOW = 300.0  # seconds a signature counts, before and after


def problem(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """What is wrong with the signature, in a sentence; empty when it is right. Compares in constant time."""
    stamp = headers.get("X-Slack-Request-Timestamp", "")
    given = headers.get("X-Slack-Signature", "")
    if not secret:
        return "No signing secret is configured, so no request can be checked."
    if not stamp or not given:
        return "The request is not signed: X-Slack-Signature and X-Slack-Request-Timestamp are needed."
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
        return "X-Slack-Request-Timestamp is no number of seconds."
    if abs(now - int(stamp)) > WINDOW:
        return "The signature is older than five minutes, or the clocks differ."
    right = "v0=" + hmac.digest(secret.encode(), b"v0:" + stamp.encode() + b":" + body, "sha256").hex()
    if not hmac.compare_digest(right.encode(), given.encode("utf-8", "surrogateescape")):
        return "The signature does not fit the body and the signing secret."
    return ""
