"""``python -m bench [--write] [PART…]``: what the assistant costs, as ratios of turns taken in one run.

Each part prints its rows; with ``--write`` they also go into the README's table, part by part, so that one that fails
loses nothing of the others.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Sequence

from bench.harness import show
from bench.parts import PARTS, known
from bench.table import HEADS, README, Line, machine, written

PATIENCE = 300.0  # seconds for one part, which takes two minutes where nothing else runs


async def measured(name: str) -> list[Line]:
    """A part's rows; fails when they are not those that it promises, or take too long."""
    part = PARTS[name]
    begun = time.perf_counter()
    async with asyncio.timeout(PATIENCE):
        found = await part.measure()
    show(f"{name}: {part.about} ({time.perf_counter() - begun:.0f} s)", HEADS, [line.cells() for line in found])
    if (said := tuple(line.what for line in found)) != part.rows:
        raise RuntimeError(f"the part {name} found other rows than it names: {set(said) ^ set(part.rows)}")
    return found


async def main(wanted: Sequence[str], write: bool) -> int:
    """How many parts failed."""
    begun, failed, on = time.perf_counter(), 0, machine({})
    for name in wanted or PARTS:
        try:
            found = await measured(name)
        except Exception:
            failed += 1
            traceback.print_exc()
            print(f"\nthe part {name} failed; its rows stay as they were", file=sys.stderr, flush=True)
            continue
        if write:
            README.write_text(written(README.read_text(), known(), found, on))
    print(f"\n{time.perf_counter() - begun:.0f} s in all")
    return failed


if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name != "--write"]
    if unknown := [name for name in names if name not in PARTS]:
        raise SystemExit(f"there is no part called {unknown[0]}: {', '.join(PARTS)}")
    if asyncio.run(main(names, "--write" in sys.argv)):
        raise SystemExit("parts failed, see above")
