"""Keeps a second process from writing to the same database."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import ClassVar

from chatops.kernel.errors import Unavailable


class FileLock:
    """A lock on a file beside the database, gone with its process however that ends.

    A record lock, because a flock would stay with every forked child of a killed assistant. Record locks do not
    see the same process twice, hence ``_held``. The file stays: if it were removed, two processes could each hold one.
    """

    _held: ClassVar[set[Path]] = set()
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def acquire(self) -> None:
        """Takes it or raises ``Unavailable`` with who has it."""
        with self._guard:
            name = self.path.resolve()
            if name in self._held:
                self._refuse(os.getpid())
            try:
                file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise Unavailable(
                    f"The folder {name.parent} cannot hold a database: {error.strerror}.",
                    hint="CHATOPS_DATABASE names a file in a folder that exists and may be written to.",
                ) from error
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(file, 20).decode(errors="replace").strip()
                os.close(file)
                self._refuse(holder)
            os.ftruncate(file, 0)
            os.pwrite(file, str(os.getpid()).encode(), 0)
            self._held.add(name)
            self._file = file

    def release(self) -> None:
        """Gives it back; a lock that is not held is left as it is."""
        with self._guard:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
                self._held.discard(self.path.resolve())

    def _refuse(self, holder: int | str) -> None:
        raise Unavailable(
            f"{self.path.with_suffix('')} is in use by another chatops (process {holder or 'unknown'}).",
            hint="Stop that one first, or let CHATOPS_DATABASE name another file.",
        )
