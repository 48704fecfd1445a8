"""Where the logs of a task end at this moment, which is where its next run will begin."""

from translators.container_id import LogPosition, StreamPosition
from vnode.nomad.logs import LogFiles, NomadLogs


class LogMeter:
    """Measures by one listing of the allocation's log directory."""

    def __init__(self, logs: NomadLogs) -> None:
        self._logs = logs

    async def position(self, allocation_id: str, task: str) -> LogPosition:
        """The ends of both streams; raises the kinds of `vnode.errors`."""
        files = await self._logs.files(allocation_id, task)
        return LogPosition(stdout=_end(files.stdout), stderr=_end(files.stderr))


def _end(files: LogFiles) -> StreamPosition:
    return StreamPosition(file=files.end.index, offset=files.end.offset)
