"""The one error of the test bed."""


class BedError(Exception):
    """A sentence for the person in front of the terminal: what is missing or broken, and what to do about it."""
