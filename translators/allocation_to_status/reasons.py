"""Why a task did not start: Nomad's texts as the reasons of a kubelet.

Texts: nomad drivers/docker, drivers/shared/executor, client/allocrunner/taskrunner; go-getter checksum.go.
Reasons: kubernetes pkg/kubelet/container/sync_result.go and images/types.go.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from translators.records.allocations import TaskEvent

_IMAGE = re.compile(
    r"^Failed to pull |unable to pull|Error: image .+ not found|Failed to find docker auth|image_pull_timeout"
)
_IMAGE_NAME = re.compile(
    r"invalid reference format|does not match registry specification|Failed to parse named repo|unable to parse image",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"could not be found|not found under path|failed to launch command|Failed to start container"
    r"|executable file not found|exec format error|error making .* executable"
)
_CONFIGURATION = re.compile(r"Failed to create container configuration|failed to decode driver config")
_CREDENTIALS_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s\"]+@")
_NO_LOGIN = "Vault: "
_CONFIGURATION_HOOKS = ("validate:", "template:", "vault:", "consul:")


class FailureKind(StrEnum):
    """What stood in the way of a start."""

    IMAGE = "image"
    ARTIFACT = "artifact"
    COMMAND = "command"
    CONFIG = "config"
    SETUP = "setup"


@dataclass(frozen=True, slots=True)
class StartFailure:
    """A task that could not be started.

    `reason` is what a kubelet says at the failure, `retry_reason` what it says while it waits to try again;
    `permanent` means that no retry of the same specification can help.
    """

    kind: FailureKind
    reason: str
    retry_reason: str
    message: str
    time: int
    permanent: bool = False

    @property
    def fetches(self) -> bool:
        """Whether that which should run could not be fetched."""
        return self.kind in {FailureKind.IMAGE, FailureKind.ARTIFACT}


def start_failure(event: TaskEvent) -> StartFailure | None:
    """Judge a task event; None when it is not a failure to start."""
    judge = _JUDGES.get(event.type)
    return judge(event) if judge else None


def _driver_failure(event: TaskEvent) -> StartFailure:
    text = _text(event, "driver_error")
    if _IMAGE_NAME.search(text):
        return _failure(event, text, FailureKind.IMAGE, "InvalidImageName")
    if _IMAGE.search(text):
        return _failure(event, text, FailureKind.IMAGE, "ErrImagePull", "ImagePullBackOff")
    if _COMMAND.search(text):
        return _failure(event, text, FailureKind.COMMAND, "RunContainerError")
    if _CONFIGURATION.search(text):
        return _failure(event, text, FailureKind.CONFIG, "CreateContainerConfigError")
    return _failure(event, text, FailureKind.SETUP, "CreateContainerError")


def _artifact_failure(event: TaskEvent) -> StartFailure:
    text = _text(event, "download_error")
    wrong = "Checksums did not match" in text
    return _failure(event, text, FailureKind.ARTIFACT, "ErrImagePull", "ImagePullBackOff", permanent=wrong)


def _validation_failure(event: TaskEvent) -> StartFailure:
    text = _text(event, "validation_error")
    return _failure(event, text, FailureKind.CONFIG, "CreateContainerConfigError", permanent=True)


def _setup_failure(event: TaskEvent) -> StartFailure:
    return _failure(event, _text(event, "setup_error"), FailureKind.SETUP, "CreateContainerError")


def _hook_failure(event: TaskEvent) -> StartFailure:
    text = _text(event, "message")
    if text.startswith(_CONFIGURATION_HOOKS):
        permanent = text.startswith("validate:")
        return _failure(event, text, FailureKind.CONFIG, "CreateContainerConfigError", permanent=permanent)
    return _failure(event, text, FailureKind.SETUP, "CreateContainerError")


def _killing(event: TaskEvent) -> StartFailure | None:
    """A task that gets no login to Vault is killed before it starts (client/allocrunner/taskrunner/vault_hook.go)."""
    text = _text(event, "kill_reason")
    if not text.startswith(_NO_LOGIN):
        return None
    return _failure(event, " ".join(text.split()), FailureKind.CONFIG, "CreateContainerConfigError")


def _failure(
    event: TaskEvent, text: str, kind: FailureKind, reason: str, retry_reason: str = "", *, permanent: bool = False
) -> StartFailure:
    return StartFailure(
        kind=kind,
        reason=reason,
        retry_reason=retry_reason or reason,
        message=_CREDENTIALS_IN_ADDRESS.sub("", text),
        time=event.time,
        permanent=permanent,
    )


def _text(event: TaskEvent, detail: str) -> str:
    return event.details.get(detail) or event.display_message or event.message or event.type


_JUDGES = {
    "Driver Failure": _driver_failure,
    "Failed Artifact Download": _artifact_failure,
    "Failed Validation": _validation_failure,
    "Setup Failure": _setup_failure,
    "Task hook failed": _hook_failure,
    "Killing": _killing,
}
