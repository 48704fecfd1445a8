"""What a translation has to say about a Pod: a refusal, which is final, or a warning."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a Pod that its author should know.

    `reason` is one UpperCamelCase word for an Event, `field` the path of the field or annotation,
    `message` a sentence that says what is wrong and what to do about it.
    """

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        """The sentence as an Event shows it, led by the field that it is about."""
        return f"{self.field}: {self.message}" if self.field else self.message


class Refused(Exception):
    """A Pod that can never run here as it is written; the finding names the field and the way out."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why a Pod cannot be started yet, in a kubelet's words; it names no value.

    `container` is the one that cannot be created, empty when it is a volume that cannot be set up. An empty
    `message` means that nothing is wrong: something is only not known yet.
    """

    reason: str = ""
    message: str = ""
    container: str = ""


class Waiting(Exception):
    """A Pod that waits for an object; it is looked at again when the object appears."""

    def __init__(self, hindrance: Hindrance) -> None:
        super().__init__(hindrance.message or "something is not known yet")
        self.hindrance = hindrance
