"""The time of day, which may be set while we run.

What we remember by it (since when we wait, until when a grace lasts) would then be over at once, or not for an hour. A
kubelet is spared that, for Go's times carry a monotonic reading; here who remembers is told how far it was set.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

_log = structlog.get_logger(__name__)

#: What time services take off little by little is less at once.
_STEP_SECONDS = 1.0


class Calendar:
    """Tells the time of day; `stepped` is told how far it was set, before anybody is told the new time.

    `day` is the wall clock, `steady` seconds that nobody sets, a suspended machine's sleep included.
    """

    def __init__(
        self, day: Callable[[], datetime], steady: Callable[[], float], stepped: Callable[[timedelta], None]
    ) -> None:
        self._day = day
        self._steady = steady
        self._stepped = stepped
        self._known = day(), steady()

    def now(self) -> datetime:
        """The time of day."""
        (before, then), (day, steady) = self._known, (self._day(), self._steady())
        self._known = day, steady
        step = (day - before).total_seconds() - (steady - then)
        if abs(step) >= _STEP_SECONDS:
            _log.warning("the time of day was set", by=round(step, 3))
            self._stepped(timedelta(seconds=step))
        return day
