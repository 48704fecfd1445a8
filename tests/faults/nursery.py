"""Starts vnode again and again by forking a process that has imported it: a start costs 30 ms instead of 2 s of CPU.

What is started is a process of its own, which a SIGKILL ends like any other. The nursery serves one at a time: who
connects to its socket is told the process id, and then, by the end of the connection, that the process has ended.

    python -m tests.faults.nursery SOCKET run --node-name=…
"""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from vnode import cli


def main(path: str, *arguments: str) -> None:
    """Serve for ever."""
    with socket.socket(socket.AF_UNIX) as listener:
        # Who finds the path may connect at once.
        listener.bind(f"{path}.new")
        listener.listen()
        Path(f"{path}.new").rename(path)
        while True:
            connection, _ = listener.accept()
            with connection:
                _serve(listener, connection, arguments)


def _serve(listener: socket.socket, connection: socket.socket, arguments: Sequence[str]) -> None:
    child = os.fork()
    if child == 0:
        listener.close()
        connection.close()
        cli.main(arguments, prog_name="vnode")
    connection.sendall(f"{child}\n".encode())
    os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
