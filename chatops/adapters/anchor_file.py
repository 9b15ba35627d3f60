"""The file to which anchors are only ever added: on a disk or share that the assistant cannot rewrite."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from chatops.adapters.disk import durable
from chatops.kernel import anchor
from chatops.kernel.anchor import Anchor
from chatops.kernel.errors import InputError, Unavailable

TAIL = 4096  # bytes: more than the longest anchor


class AnchorFile:
    """Adds lines; one that is the last line already is not added again, for a crash may have come after it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    async def add(self, line: str) -> None:
        """Returns once the line is on the disk; raises ``Unavailable`` for what that says."""
        await asyncio.to_thread(self._add, line)

    def _add(self, line: str) -> None:
        try:
            new = not self.path.exists()
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                tail = os.pread(file, TAIL, max(0, os.fstat(file).st_size - TAIL))
                if tail.split(b"\n")[-2:] != [line.encode(), b""]:
                    cut = b"\n" if tail and not tail.endswith(b"\n") else b""  # what a full disk left of a line
                    text = cut + line.encode() + b"\n"
                    if os.write(file, text) < len(text):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file)  # also of a line that is there: whoever wrote it may have died before this
                if new:
                    durable(self.path.parent)
            finally:
                os.close(file)
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be written: {error.strerror}.") from error


def anchors_of(path: Path) -> Iterator[tuple[int, Anchor]]:
    """The anchors of a file with their lines; raises ``InputError`` with file:line for what is none.

    A line that is the beginning of the next one is what a full disk left of it.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, 1):
        if not line or (number < len(lines) and lines[number].startswith(line) and lines[number] != line):
            continue
        try:
            yield number, anchor.parse(line)
        except ValueError as error:
            raise InputError(f"{path}:{number}: {error}") from error
