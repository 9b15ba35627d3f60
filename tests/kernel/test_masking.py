"""Secrets are taken out; what a plan needs stays."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import random
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatops.kernel.masking import MASK, LogMask, mask


def jwt() -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "name": "Dana"}]
    packed = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*packed, "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"])


# Put together here, so that no scanner of secrets takes this file for a leak.
SECRETS = [
    "xoxb-" + "123456789012-abcdefGHIJ",
    "xapp-" + "1-A012-345-abcdef",
    "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "github_pat_" + "11AAAAAAA0abcdefghijkl_mnopqrstuvwxyz",
    "glpat-" + "abcdefghij0123456789",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
    "sk_live_" + "abcdefghijklmnop",
    "hvs." + "CAESIJabcdefghijklmnopqrstuv",
    "Tq8fZ2kLw0" + "XbV5nRy7PmJd3HsGc9aQe1",
    jwt(),
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBg",
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:12])
@pytest.mark.parametrize("around", ["{}", "because {} leaked", "`{}`", '"{}"', "see {}, please", "x={}"])
def test_a_secret_is_masked_wherever_it_stands(secret: str, around: str) -> None:
    clean, found = mask(around.format(secret))
    assert found
    assert secret not in clean
    assert MASK in clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("password=hunter2 and more", f"password={MASK} and more"),
        ("Password: hunter2, and more", f"Password: {MASK}, and more"),
        ('"client_secret": "a b c", "x": 1', f'"client_secret": {MASK}, "x": 1'),
        ("DB_PASSWORD=x y", f"DB_PASSWORD={MASK} y"),
        ("api-key: 1234", f"api-key: {MASK}"),
        ("Authorization: Bearer abcdefgh1234", f"Authorization: Bearer {MASK}"),
        ("postgres://app:p4ss@w0rd@db/orders?x=1", f"postgres://app:{MASK}@db/orders?x=1"),
        ("wss://a.test/link/?ticket=0a1b-2c&app_id=1", f"wss://a.test/link/?ticket={MASK}&app_id=1"),
        ("https://a.test/?token=abc&page=2", f"https://a.test/?token={MASK}&page=2"),
        ("https://hooks.slack.com/services/T0/B0/abcDEF", f"https://hooks.slack.com/services/{MASK}"),
    ],
)
def test_only_the_secret_part_is_taken_out(text: str, clean: str) -> None:
    assert mask(text) == (clean, True)


SHA = hashlib.sha256(b"x").hexdigest()
KEPT = [
    "fixes the cart, 30% faster", "ticket: SHOP-12, see https://tickets.acme.test/SHOP-12",
    "1.4.2", "v2026.06.15-rc.1", "1.5.0-broken",
    f"sha256:{SHA}", f"registry.acme.test/shop/checkout@sha256:{SHA}", SHA, SHA.upper(), SHA[:40],
    "550e8400-e29b-41d4-a716-446655440000",
    "checkout-7d4b9c6f5d-x2x9z", "the-quite-long-name-of-a-deployment-in-shop-staging-eu-west-1",
    "Deployment/checkout spec.template.spec.containers[app].image",
    "https://runbooks.acme.test/checkout/a/rather/long/path/With/Capitals/And2/Digits3/In4/It5",
    "/var/lib/kubelet/pods/550e8400-e29b-41d4-a716-446655440000/volumes",
    "the token is fine, no password needed", "secret: ", "token budget: 5 left",
    "horizontalpodautoscaler.kubernetes.io/maxReplicas2", "aVeryLongCamelCaseIdentifierThatSomebodyWrote2024",
    "<@U0DANA> <!channel>", "user@host.acme.test", "http://a.test:8080/x@y",
    "1782144671.5.8d1e4550ef3fef23a1c5f05b",
]  # fmt: skip


@pytest.mark.parametrize("text", KEPT)
def test_what_a_plan_needs_is_not_taken_for_a_secret(text: str) -> None:
    if text.startswith("token budget"):
        assert mask(text)[0].endswith("left")
        return
    assert mask(text) == (text, False)


@example("XOXA-00000000_SECRET:0")
@given(st.text() | st.lists(st.sampled_from([*SECRETS, *KEPT, "password=", "token:", " ", "\n"])).map("".join))
def test_masking_again_changes_nothing(text: str) -> None:
    once, found = mask(text)
    assert mask(once) == (once, False)
    assert found == (once != text)


def test_random_keys_are_found_nearly_always_and_random_digests_never_masked() -> None:
    dice = random.Random(7)
    letters = string.ascii_letters + string.digits
    keys = ["".join(dice.choices(letters, k=44)) for _ in range(500)]
    assert sum(mask(key)[1] for key in keys) > 480
    digests = ["".join(dice.choices("0123456789abcdef", k=dice.choice((32, 40, 64)))) for _ in range(500)]
    assert not any(mask(digest)[1] for digest in digests)


@pytest.mark.parametrize(
    "text", ["a" * 50_000, "password" * 5_000, "x=" * 20_000, "eyJ" * 10_000, "a-" * 20_000, "://:" * 9_000]
)
def test_long_texts_come_back(text: str) -> None:
    """A regular expression that backtracks without end would hold up every click of everybody, and this test."""
    clean, _ = mask(text)
    assert mask(clean) == (clean, False)


def test_log_lines_are_masked_with_their_arguments() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "calling %s with %d", (SECRETS[0], 5), None)
    assert LogMask().filter(record)
    assert record.getMessage() == f"calling {MASK} with 5"


def test_tracebacks_in_the_log_are_masked() -> None:
    try:
        raise ValueError(f"refused: {SECRETS[0]}")
    except ValueError as error:
        found = (type(error), error, error.__traceback__)
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "E-7F3K9Q while planning", (), found)
    LogMask().filter(record)
    written = logging.Formatter().format(record)
    assert SECRETS[0] not in written
    assert written.endswith(f"ValueError: refused: {MASK}")


FORGED = "2026-11-23 09:00:00,000 INFO chatops: R-1042 approved by lee@acme.test"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x85", "\u2028", "\x1b[2K\x1b[1G"])
def test_what_others_wrote_begins_no_line_of_the_log(end: str) -> None:
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "the alert %s", (f"Down{end}{FORGED}",), None)
    LogMask().filter(record)
    assert record.getMessage() == f"the alert Down{ascii(end)[1:-1]}{FORGED}"
    try:
        raise ValueError(f"refused{end}{FORGED}")
    except ValueError as error:
        found = (type(error), error, error.__traceback__)
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "E-7F3K9Q while planning", (), found)
    for _ in range(2):  # two handlers have it each
        LogMask().filter(record)
    first, *rest = logging.Formatter("%(message)s").format(record).splitlines()
    assert first == "E-7F3K9Q while planning"
    assert all(line.startswith("  ") and "\x1b" not in line for line in rest)
