"""sqlite-utils without numpy and pandas: it loads them wherever they are, 11 MB for tables that we don't have.

They are installed with the plotting library, which the assistant itself never loads either.
"""

from __future__ import annotations

import sys

_absent = [name for name in ("numpy", "pandas") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_absent))  # type: ignore[arg-type]  # None: importing it fails

from sqlite_utils import Database  # noqa: E402
from sqlite_utils.migrations import Migrations  # noqa: E402

for _name in _absent:
    del sys.modules[_name]

__all__ = ["Database", "Migrations"]
