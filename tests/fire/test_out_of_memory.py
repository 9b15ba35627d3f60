"""A chart that needs more memory than it is given: the thread has the numbers, and the next chart is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatops.adapters.painter import ChartPainter
from tests.incidents.test_drawing import worker
from tests.scenarios.test_charts import measured, monitored, replies, shown_in
from tests.scenarios.test_incidents import tell
from tests.support.thoroughness import EVERYTHING

LITTLE = 60 * 1024 * 1024  # bytes of address space; matplotlib alone takes more


@pytest.mark.fire
@pytest.mark.skipif(not EVERYTHING, reason="takes seconds of computing: make fire")
async def test_a_chart_out_of_memory_costs_its_picture_alone_and_the_next_one_is_drawn(tmp_path: Path) -> None:
    flag = tmp_path / "little"
    flag.touch()
    scarce = worker(f"import os\nif os.path.exists({str(flag)!r}): chart_worker.MEMORY = {LITTLE}")
    async with monitored(drawn=True) as (house, _):
        house.assistant.charts.painter = painter = ChartPainter(**scarce)
        try:
            await tell(house, measured())
            [reply] = await replies(house)
            assert "12.4 at last" in reply["text"]
            assert "perhaps for lack of memory" in str(reply)
            assert await shown_in(house) == []
            flag.unlink()
            await tell(house, measured("Latency", labels={"service": "cart"}))
            [drawn] = await shown_in(house)
            assert "12.4 at last" in drawn["alt_text"]
            assert len(await replies(house)) == 2
        finally:
            painter.close()
