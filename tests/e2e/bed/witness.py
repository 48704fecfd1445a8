"""Remembers every job, allocation and evaluation that Nomad ever had: they are gone when a run ends.

It is a process of its own, ``python -m tests.e2e.bed.witness``, whose log is the event stream of Nomad, a line each.
"""

import json
import os
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from tests.e2e.bed.bed import REPOSITORY, Bed
from tests.e2e.bed.processes import Child

_STREAM = "/v1/event/stream?namespace=*&topic=Job&topic=Allocation&topic=Evaluation"
#: Servers come and go in the tests.
_PAUSE_SECONDS = 0.5


@contextmanager
def witness(bed: Bed) -> Iterator[Child]:
    """Let it look until the block ends."""
    environment = {"PYTHONPATH": str(REPOSITORY), **bed.nomad.environment(bed.nomad.management_token)}
    child = bed.children.add("witness", sys.executable, "-m", __name__, environment=environment)
    child.start()
    try:
        yield child
    finally:
        child.stop()


def main() -> None:
    """Print the stream, and begin where it broke off when it does."""
    context = ssl.create_default_context(cafile=os.environ.get("NOMAD_CACERT"))
    if "NOMAD_CLIENT_CERT" in os.environ:
        context.load_cert_chain(os.environ["NOMAD_CLIENT_CERT"], os.environ["NOMAD_CLIENT_KEY"])
    token = os.environ.get("NOMAD_TOKEN")
    headers = {"X-Nomad-Token": token} if token else {}
    index = 0
    with httpx2.Client(base_url=os.environ["NOMAD_ADDR"], verify=context, headers=headers, trust_env=False) as http:
        while True:
            try:
                with http.stream("GET", f"{_STREAM}&index={index}", timeout=None) as answer:
                    for line in answer.iter_lines():
                        if '"Index"' in line:
                            print(line, flush=True)
                            index = int(json.loads(line)["Index"])
            except httpx2.HTTPError:
                time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main()
