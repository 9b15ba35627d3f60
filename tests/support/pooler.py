"""A real PgBouncer (Debian's) before the tests' PostgreSQL, in the one mode in which sessions stay whole."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

PROGRAM = shutil.which("pgbouncer")
PORT = 6432  # of its socket's name: the folder is the test's own


@contextmanager
def pooled(url: str, folder: Path, *settings: str) -> Iterator[str]:
    """The URL by which the same database is reached through it."""
    server = conninfo_to_dict(url)
    lines = [
        "[databases]", f"* = host={server['host']} user={server['user']}",
        "[pgbouncer]", "listen_addr =", f"listen_port = {PORT}", f"unix_socket_dir = {folder}", "auth_type = any",
        "pool_mode = session", "default_pool_size = 40", "server_login_retry = 1", *settings,
    ]  # fmt: skip
    configuration = folder / "pgbouncer.ini"
    configuration.write_text("\n".join(lines) + "\n")
    folder.chmod(0o777)
    command = [PROGRAM or "pgbouncer", "-q", str(configuration)]
    if os.geteuid() == 0:  # as which it refuses to run: as the server's owner it reaches the server's socket
        command[1:1] = ["-u", pwd.getpwuid(Path(str(server["host"])).stat().st_uid).pw_name]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        while not (folder / f".s.PGSQL.{PORT}").exists():
            if process.poll() is not None:
                raise RuntimeError(f"pgbouncer ended: {process.communicate()[1].decode()}")
            time.sleep(0.01)
        yield f"postgresql://{server['user']}@/{server['dbname']}?host={folder}&port={PORT}"
    finally:
        process.terminate()
        process.communicate(timeout=10)
