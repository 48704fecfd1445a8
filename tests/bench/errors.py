"""The one error of the bench."""


class MeasurementError(Exception):
    """A figure could not be taken; the text says what was waited for, for how long, and what came instead."""


def sentences(problem: BaseException) -> list[str]:
    """The texts of an error, or of all errors in a group."""
    if isinstance(problem, BaseExceptionGroup):
        return [text for inner in problem.exceptions for text in sentences(inner)]
    return [str(problem) or type(problem).__name__]
