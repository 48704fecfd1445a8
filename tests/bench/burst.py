"""One shape for all four bursts: send as fast as so many senders can, and see when the last effect is there."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.bench.process import BENCH, IDLE, STRANGERS, CpuMeter
from tests.bench.quantiles import quantile
from tests.bench.sightings import Sightings

Send = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Burst:
    """Seconds from the first request until the last was answered, half of the effects and all of them were seen."""

    count: int
    sent: float
    half: float
    seconds: float
    cpu_seconds: dict[str, float]

    @property
    def ours(self) -> float:
        """CPU seconds of Nomad, Kubernetes and vnode together."""
        return sum(seconds for name, seconds in self.cpu_seconds.items() if name not in {STRANGERS, IDLE, BENCH})

    @property
    def strangers(self) -> float:
        """The share of the machine's CPU that went to processes which have nothing to do with the bench."""
        return self.cpu_seconds[STRANGERS] / sum(self.cpu_seconds.values())


@dataclass(frozen=True)
class Pace:
    """So many requests in flight, and seconds to wait for the last effect."""

    concurrency: int
    within: float


async def send_all(sends: Mapping[str, Send], concurrency: int) -> None:
    """Run all, so many at once."""
    waiting = iter(sends.values())
    async with asyncio.TaskGroup() as tasks:
        for _ in range(concurrency):
            tasks.create_task(_send_each(waiting))


async def measure(sends: Mapping[str, Send], effects: Sightings, meter: CpuMeter, pace: Pace) -> Burst:
    """Send everything, and wait until the effect of each was seen."""
    began = time.monotonic()
    await send_all(sends, pace.concurrency)
    sent = time.monotonic()
    await effects.wait(sends.keys(), pace.within)
    cpu = meter.used()
    seen = [effects.at[name] - began for name in sends]
    return Burst(len(sends), sent - began, quantile(seen, 0.5), max(seen), cpu)


async def _send_each(waiting: Iterator[Send]) -> None:
    for send in waiting:
        await send()
