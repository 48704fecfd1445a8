"""Tells each request its fault, and remembers what was told."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.faults import Fault, Killed
from tests.faults.plan import Plan, calm
from tests.faults.routes import Route


@dataclass
class Director:
    """`plan` may be replaced at any time; the numbers go on. `kill` ends vnode, for the faults that demand it.

    `cap` bounds the connections that either server takes at once, as Nomad's http_max_conns_per_client does; `refused`
    counts the requests that came over one too many.
    """

    plan: Plan = calm
    cap: int = 1000
    kill: Callable[[], None] = lambda: None
    requests: Counter[Route] = field(default_factory=Counter)
    refused: int = 0
    given: list[tuple[Route, int, Fault]] = field(default_factory=list)

    def begin(self, plan: Plan, cap: int = 1000) -> None:
        """Another plan, whose numbers begin at 1."""
        self.requests.clear()
        self.given.clear()
        self.plan, self.cap, self.refused = plan, cap, 0

    def next(self, route: Route) -> Fault | None:
        """The fault of the next request of a route."""
        self.requests[route] += 1
        number = self.requests[route]
        fault = self.plan(route, number)
        if fault is not None:
            self.given.append((route, number, fault))
        return fault

    def carry_out(self, fault: Killed) -> None:
        """Kill vnode; not for an earlier plan, whose victim is dead and has a successor."""
        if any(given is fault for _, _, given in self.given):
            self.kill()

    def count(self, name: str) -> int:
        """How many requests of a route there were."""
        return sum(count for route, count in self.requests.items() if route.name == name)

    def hits(self, name: str) -> int:
        """How many requests of a route met a fault."""
        return sum(route.name == name for route, _, _ in self.given)
