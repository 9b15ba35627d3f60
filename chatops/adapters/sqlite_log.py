"""The place that SQLite's write-ahead log has on the disk."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

SMALL = 256 * 1024  # bytes by which the log grows by itself: who writes little, as most tests do, needs no more
ROOM = 4 * 1024 * 1024  # bytes that are added at once
LARGEST = 16 * 1024 * 1024  # bytes; SQLite begins anew at the front when it has come as far (``wal_autocheckpoint``)


class WriteAhead:
    """Makes the log longer before it has to be, for a commit that makes it longer waits for the disk twice.

    The file system then has to write down its new length as well. What is added are zeros: to SQLite a frame without
    its checksum is the end of the log, and it overwrites what it left there itself in the same way.
    """

    def __init__(self, database: Path) -> None:
        self._path = str(database.with_name(database.name + "-wal"))
        self._enough = self._length() + SMALL  # up to here it is let grow

    def make_room(self) -> None:
        """Between two commits, on the thread that makes them: adds room when the last one has made the file longer."""
        try:
            length = self._length()
            if self._enough < length < LARGEST:
                self._enough = length + ROOM
                with open(self._path, "ab") as file:
                    file.write(bytes(ROOM))
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:  # SQLite goes on with what room there is, and says itself when there is none
            log.warning("no room for the database's log could be made: %s", error)

    def _length(self) -> int:
        try:
            return os.stat(self._path).st_size
        except FileNotFoundError:
            return 0
