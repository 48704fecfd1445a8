"""How a client learns how its command ended.

From version 4 on by a metav1.Status as JSON, before by a text, and by nothing on success. Sources: kubernetes
staging/src/k8s.io/cri-streaming/pkg/streaming/remotecommand (exec.go, status.go) and what client-go reads of it,
client-go/tools/remotecommand/v4.go.
"""

import json

from vnode.streaming.commands import Exited, Failed, Outcome


def status_message(outcome: Outcome, *, as_status: bool) -> bytes:
    """The bytes for the error stream; empty when there is nothing to say."""
    match outcome:
        case Exited(0):
            return _status({"status": "Success"}) if as_status else b""
        case Exited(code):
            text = f"command terminated with non-zero exit code: exit status {code}"
            if not as_status:
                return text.encode()
            return _status(
                {
                    "status": "Failure",
                    "message": text,
                    "reason": "NonZeroExitCode",
                    "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
                }
            )
        case Failed(message):
            if not as_status:
                return message.encode()
            text = f"Internal error occurred: {message}"
            return _status({"status": "Failure", "message": text, "reason": "InternalError", "code": 500})


def _status(fields: dict[str, object]) -> bytes:
    return json.dumps({"metadata": {}, **fields}, separators=(",", ":")).encode()
