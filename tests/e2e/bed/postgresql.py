"""Debian's PostgreSQL with all its data in the bed's directory, started only for the tests that want it."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import Child, run, wait_until

_INSTALLATIONS = Path("/usr/lib/postgresql")
_LOOPBACK = "127.0.0.1"
_START_SECONDS = 60
#: It refuses to run as root.
_USER = "postgres"
_AS_USER = ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups")
SUPERUSER = "root"


@dataclass(frozen=True)
class PostgreSQL:
    """A running server whose superuser may make other users."""

    port: int
    password: str
    authority: Path
    programs: Path

    @property
    def template(self) -> str:
        """The connection as Vault's database engine wants it written."""
        place = f"{_LOOPBACK}:{self.port}/postgres?sslmode=verify-full&sslrootcert={self.authority}"
        return f"postgresql://{{{{username}}}}:{{{{password}}}}@{place}"

    def query(self, statement: str) -> list[str]:
        """What a statement of the superuser returns, a line for each row."""
        url = self.template.replace("{{username}}", SUPERUSER).replace("{{password}}", self.password)
        command = (self.programs / "psql", url, "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement)
        return run(*command).splitlines()


@contextmanager
def postgresql(bed: Bed) -> Iterator[PostgreSQL]:
    """Run one until the block ends; it serves TLS and takes nobody without a password."""
    programs = _programs()
    home = bed.directory / "postgresql"
    port, password = bed.free_port(), str(uuid.uuid4())
    authority = bed.control_plane.authority
    serving = authority.issue("postgresql", "postgresql", names=("localhost", _LOOPBACK))
    home.mkdir()
    secret = home / "password"
    secret.write_text(password)
    for pair in (serving.certificate, serving.key):
        shutil.copy(pair, home)
        (home / pair.name).chmod(0o600)
    for path in (home, *home.iterdir()):
        shutil.chown(path, _USER, _USER)
    data = home / "data"
    run(
        *_AS_USER,
        programs / "initdb",
        f"--pgdata={data}",
        f"--username={SUPERUSER}",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-sync",
    )
    settings = {
        "listen_addresses": _LOOPBACK,
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "ssl": "on",
        "ssl_cert_file": str(home / serving.certificate.name),
        "ssl_key_file": str(home / serving.key.name),
    }
    flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    child = bed.children.add("postgresql", *_AS_USER, programs / "postgres", "-D", data, *flags)
    child.start()
    server = PostgreSQL(port, password, authority.certificate, programs)
    try:
        wait_until("PostgreSQL", lambda: _answers(server), within=_START_SECONDS, of=[child])
        yield server
    finally:
        _stop(child)


def _answers(server: PostgreSQL) -> bool:
    return server.query("SELECT 1") == ["1"]


def _stop(child: Child) -> None:
    # SIGTERM waits for the last client to leave, and Vault keeps its connections.
    child.kill()


def _programs() -> Path:
    """Where the newest installation has its programs; Debian keeps them out of PATH."""
    found = [path.parent for path in _INSTALLATIONS.glob("*/bin/initdb")]
    if not found:
        raise BedError("PostgreSQL is not installed: apt-get install postgresql (scripts/e2e does it)")
    return max(found, key=lambda path: int(path.parent.name))
