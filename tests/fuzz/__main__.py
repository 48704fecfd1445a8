"""Fuzz all codecs for some seconds: by coverage where atheris is installed, else by blind mutation.

What breaks a codec is printed as a line for tests/fuzz/found.txt, whose inputs the unit tests repeat for ever.
"""

import argparse
import importlib
import importlib.util
import random
import sys
import time
from pathlib import Path
from types import ModuleType

from tests.fuzz.found import found, line

#: Inputs that blind mutation begins with.
_LARGEST_POOL = 2000


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--blind", action="store_true", help="do not use atheris")
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz"), help="where atheris keeps what it learned")
    options = parser.parse_args()
    if options.blind or importlib.util.find_spec("atheris") is None:
        return _blindly(options.seconds)
    return _guided(options.seconds, options.corpus)


def _guided(seconds: int, corpus: Path) -> int:
    """Let libFuzzer look for new paths; it ends the process."""
    import atheris  # noqa: PLC0415 - it is not there everywhere

    with atheris.instrument_imports(include=["vnode.streaming"]):
        importlib.import_module("tests.fuzz.targets")
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(found()):
        (corpus / f"found-{number}").write_bytes(data)
    arguments = [sys.argv[0], str(corpus), f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=1024",
                 "-timeout=10", f"-artifact_prefix={corpus}/broken-", "-print_final_stats=1"]  # fmt: skip
    atheris.Setup(arguments, _reporting)
    atheris.Fuzz()
    return 0


def _blindly(seconds: int) -> int:
    dice = random.Random(time.time_ns())
    targets = len(_targets().TARGETS)
    pool = [bytes([number]) + dice.randbytes(64) for number in range(targets)] + list(found())
    ends, runs = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        data = _mutated(dice, pool[dice.randrange(len(pool))])
        _reporting(data)
        runs += 1
        if dice.random() < 0.01:
            pool.append(data)
            if len(pool) > _LARGEST_POOL:
                del pool[dice.randrange(targets, len(pool))]
    print(f"{runs} inputs in {seconds} s, no defect")
    return 0


def _mutated(dice: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        place = dice.randrange(1, len(changed) + 1)
        match dice.randrange(4):
            case 0 if place < len(changed):
                changed[place] = dice.randrange(256)
            case 1:
                changed[place:place] = dice.randbytes(dice.randint(1, 40))
            case 2:
                del changed[place : place + dice.randint(1, 20)]
            case _:
                changed[place:place] = dice.choice((b"\x80\x03\x00\x01", b"\x80\x03\x00\x06", b"\x82\x85", b"\x00\x00"))
    return bytes(changed[:4096])


def _targets() -> ModuleType:
    """Imported late, so that atheris sees the codecs' code first."""
    return importlib.import_module("tests.fuzz.targets")


def _reporting(data: bytes) -> None:
    try:
        _targets().run(data)
    except Exception:
        print(line(data), file=sys.stderr)
        raise


if __name__ == "__main__":
    raise SystemExit(main())
