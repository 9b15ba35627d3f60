"""How long a configuration takes to load, a form to open, the demo to be ready, and a digest to be read."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench import digest, form, loading
from bench.assistant import CLI
from bench.harness import free_port
from bench.table import Line, milliseconds, over

ALONE, BOTH, DEMO = (
    "a configuration of 5,000 services loaded", f"with {loading.ACTIONS} declared actions", "the demo, ready",
)  # fmt: skip
ROWS = (ALONE, BOTH, *form.LINES, DEMO, digest.ROW)


async def demo_ready() -> float:
    """Seconds from the start of ``chatops demo`` until it says that it is ready."""
    begun = time.perf_counter()
    command = [*CLI, "demo", "--listen", f"127.0.0.1:{free_port()}"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            async for line in process.stdout:
                if b"is ready" in line:
                    return time.perf_counter() - begun
        raise RuntimeError("chatops demo ended before it was ready")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def lines() -> list[Line]:
    """All rows of this part."""
    with tempfile.TemporaryDirectory() as place:
        alone, both = loading.seconds(Path(place) / "loading")
    found = [
        Line(ALONE, here=f"{alone:.2f} s"),
        Line(BOTH, "without", f"{alone:.2f} s", f"{both:.2f} s", over(both, alone)),
    ]
    with tempfile.TemporaryDirectory() as place:
        for name, median in (await form.medians(Path(place))).items():
            found.append(Line(name, "Slack's limit", "3 s", milliseconds(median), over(median, 3)))
    found.append(Line(DEMO, here=f"{await demo_ready():.1f} s"))
    with tempfile.TemporaryDirectory() as place:
        few, many = await digest.seconds(Path(place))
    than = f"of {digest.NUMBERS[0]:,}"
    return [*found, Line(digest.ROW, than, milliseconds(few), milliseconds(many), over(many, few))]
