"""Amounts as Kubernetes writes them: "250m", "1Gi", "2" (apimachinery's `resource.Quantity`)."""

from __future__ import annotations

import functools
import re
from decimal import ROUND_CEILING, Decimal

_SMALL_TO_LARGE = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_DECIMAL: dict[str, Decimal] = {
    suffix: Decimal(1000) ** power for power, suffix in enumerate(_SMALL_TO_LARGE, start=-3)
}
_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_SIZES = _BINARY | _DECIMAL
_FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")
WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def quantity(text: str | int | float) -> Decimal:
    """The amount as a number; raises ValueError on anything else."""
    return _read(str(text))[0]


@functools.lru_cache(maxsize=1024)
def canonical(text: str) -> str:
    """The one way to write this amount that an API server answers with; raises ValueError on what is no quantity.

    No fraction, the largest fitting suffix, and binary only when it was written so and is 1024 or more.
    """
    value, binary, exponent = _read(text)
    value = value.quantize(Decimal("1e-9"), ROUND_CEILING).normalize()
    units = _BINARY if binary and abs(value) >= 1024 else _DECIMAL
    if value == 0:
        return "0"
    for suffix, size in sorted(units.items(), key=lambda unit: -unit[1]):
        if value % size == 0:
            power = _SMALL_TO_LARGE.index(suffix) * 3 - 9 if exponent else 0
            return f"{value / size:f}" + (f"e{power}" if power else "" if exponent else suffix)
    return f"{value:f}"


def shown(value: Decimal) -> str:
    if value == value.to_integral_value():
        return str(int(value))
    return f"{(value * 1000).normalize():f}m"


@functools.lru_cache(maxsize=1024)
def _read(text: str) -> tuple[Decimal, bool, bool]:
    """The number, and whether it was written with a binary suffix or with an exponent."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(WRONG)
    digits, exponent, suffix = found.groups()
    if exponent:
        return Decimal(digits + exponent), False, True
    return Decimal(digits) * _SIZES[suffix or ""], suffix in _BINARY, False
