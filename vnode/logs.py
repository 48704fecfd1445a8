"""How vnode itself logs: structured, to stderr, for people on a terminal and as JSON elsewhere."""

import logging
import sys
from typing import Literal

import structlog


def configure(level: str, form: Literal["auto", "console", "json"]) -> None:
    """Set up structlog, and let the libraries we use speak up only when something is wrong.

    kubernetes_asyncio and httpx log bodies and addresses at debug level, Secrets among them: their level
    never follows ours.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    exceptions = [] if console else [structlog.processors.dict_tracebacks]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *exceptions,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
