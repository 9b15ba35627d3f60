"""Takes out what looks like a secret before a text is stored, posted or logged.

Named shapes are masked wherever they stand; a long random string only when nothing explains it: image digests, git
commits, UUIDs, pod names and paths stay as they are, because a plan without them cannot be judged.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Callable

MASK = "[masked]"

_B64 = r"A-Za-z0-9+/_\-"
# What each provider documents as the shape of its tokens; group "keep" stays, the rest is masked.
_SHAPES = [
    # PEM (RFC 7468); a block that was cut off is masked to its end.
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)",
    r"\bxox[abdeoprs]-[A-Za-z0-9-]{8,}",  # Slack
    r"\bxapp-[0-9A-Za-z-]{8,}",
    r"\bxwfp-[0-9A-Za-z-]{8,}",
    r"(?P<keep1>https://hooks\.slack\.com/(?:services|workflows|triggers|commands|actions)/)[\w/-]+",
    r"\bgh[pousr]_[A-Za-z0-9]{16,}",  # GitHub
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",  # GitLab
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",  # AWS access key id
    r"\bAIza[A-Za-z0-9_-]{30,}",  # Google
    r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}",  # Stripe
    r"\bsk-[A-Za-z0-9_-]{20,}",
    r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}",  # Vault
    r"\bnpm_[A-Za-z0-9]{30,}",
    r"\bpypi-[A-Za-z0-9_-]{30,}",
    r"\bdop_v1_[a-f0-9]{40,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?",  # JWT: {" in base64 (RFC 7519)
    rf"(?P<keep2>\b(?:Bearer|Basic)\s+)[{_B64}=.~]{{8,}}",  # RFC 6750, RFC 7617
    # user:password@ in a URL (RFC 3986); up to the last @ before the path, for passwords may hold one
    r"(?P<keep3>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@?#<>]{0,200}:)[^\s/<>]{1,200}(?=@)",
    r"(?P<keep5>[?&]ticket=)[^\s&\"']{1,500}",  # in Socket Mode's addresses; "ticket: SHOP-12" in a reason is no secret
    # a name that says so, and its value: password=…, "api_key": "…", --token …
    r"(?P<keep4>\b[\w.-]{0,40}?(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|client[_-]?secret|credential|pwd)[\"']?\s{0,4}(?::=|[:=])\s{0,4})"
    r"(?!\s|//)(?:\"[^\"\n]{1,500}\"?|'[^'\n]{1,500}'?|[^\s,;&\"']{1,500})",
]
_NAMED = re.compile("|".join(f"(?:{shape})" for shape in _SHAPES), re.IGNORECASE)
_KEPT = [f"keep{number}" for number in range(1, 6)]

_LONG = re.compile(r"(?<![A-Za-z0-9+/_.:@-])[A-Za-z0-9+/_-]{32,}={0,2}(?![A-Za-z0-9+/_=-])")
_HEX = re.compile(r"^(?:0x)?[0-9a-f]{32,128}$", re.IGNORECASE)  # digests, commits, trace ids
_PIECES = re.compile(r"[-_/=+]")
_DIGITS = re.compile(r"[0-9]+")
_AWS_SECRET = re.compile(r"^[A-Za-z0-9/+]{40}$")
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")  # ends of lines, and what moves a terminal's cursor
_SHORT, _MOST_CLEAN = 400, 5000  # characters; texts that are remembered to hold no secret: monitors repeat themselves
_clean: set[str] = set()
_RANDOM_BITS = 3.6  # bits a character; words in kebab-case stay below, 32 random base64 characters lie near 4.5


def mask(text: str) -> tuple[str, bool]:
    """The text without what looks like a secret, and whether anything was taken out. Masking again changes nothing."""
    if text in _clean:
        return text, False
    shorter, before = text, ""
    while shorter != before:  # what is taken out may uncover a name that stood within it: XOXA-…_SECRET:0
        before, shorter = shorter, _LONG.sub(_random, _NAMED.sub(_named, shorter))
    if shorter == text and len(text) <= _SHORT:
        if len(_clean) >= _MOST_CLEAN:
            _clean.clear()
        _clean.add(text)
    return shorter, shorter != text


def _named(match: re.Match[str]) -> str:
    kept = next((match[name] for name in _KEPT if match[name] is not None), "")
    return kept + MASK


def _random(match: re.Match[str]) -> str:
    word = match[0]
    return MASK if _looks_random(word) else word


def _looks_random(word: str) -> bool:
    """Capitals, small letters and scattered digits in one long run, without the rhythm of words."""
    if _HEX.match(word):
        return False
    kinds: list[Callable[[str], bool]] = [str.islower, str.isupper, str.isdigit]
    if not all(any(kind(letter) for letter in word) for kind in kinds) or _bits(word) < _RANDOM_BITS:
        return False
    if _AWS_SECRET.match(word) and _bits(word) > 4.3:
        return True
    # Names are made of short pieces (a pod's name, a UUID, a path), a key has one long one; the digits of
    # aLongNameInCamelCase2 stand together, a key's do not.
    longest = max(_PIECES.split(word), key=len)
    return len(longest) >= 20 and not _HEX.match(longest) and len(_DIGITS.findall(word)) >= 3


def _bits(word: str) -> float:
    """Shannon entropy of the characters, in bits a character."""
    counts = Counter(word)
    return -sum(count / len(word) * math.log2(count / len(word)) for count in counts.values())


class LogMask(logging.Filter):
    """Masks whatever goes into a log line; add it to the handlers, so that libraries' records pass it too.

    A line stays one line: what others wrote (an alert's label, an exception's text) cannot begin one that looks like
    ours. Tracebacks are indented for the same reason.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True; the record's message is replaced when something was found in it, and so is its traceback."""
        before = record.getMessage()
        text = _one_line(mask(before)[0])
        if text != before:
            record.msg, record.args = text, ()
        if record.exc_info and not record.exc_text:  # an exception quotes what it choked on; formatters keep this text
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            lines = map(_one_line, mask(record.exc_text)[0].splitlines())  # also at Unicode's odd ends of lines
            record.exc_text = "\n".join(line if line.startswith("  ") else f"  {line}" for line in lines)
        return True


def _one_line(text: str) -> str:
    return _BREAKS.sub(lambda found: ascii(found[0])[1:-1], text)
