"""Generated names and hashes, in the alphabet Kubernetes uses (no vowels, so that no words appear)."""

from __future__ import annotations

import json
import os
import zlib
from typing import Any

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def suffix(length: int = 5) -> str:
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in os.urandom(length))


def template_hash(template: Any, collisions: int = 0) -> str:
    """The pod-template-hash of a template: the same template gives the same name, whatever the order of its keys."""
    text = json.dumps(template, sort_keys=True) + (str(collisions) if collisions else "")
    number = str(zlib.crc32(text.encode()))
    return "".join(ALPHABET[int(digit)] if digit.isdigit() else digit for digit in number)
