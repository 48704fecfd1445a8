"""Pods that are given to a real kubelet and to vnode alike, and until when each is watched."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.bed.rootfs import OTHER_IMAGE
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import container_status, is_ready, phase, waiting

_FOR_EVER = "exec sleep 3600"
_SERVES = "mkdir /www; echo ok > /www/ok; exec httpd -f -p 8080 -h /www"
_OFTEN: Manifest = {"periodSeconds": 1, "timeoutSeconds": 5}
#: Long enough for a program to listen: whether a probe comes before is a matter of luck.
_LATER: Manifest = {"initialDelaySeconds": 4}
_ONCE: Manifest = {"restart": "Never"}
_SHARED: Manifest = {"volumeMounts": [{"name": "work", "mountPath": "/work"}]}
_VOLUMES: list[Manifest] = [{"name": "work", "emptyDir": {}}]

Until = Callable[[Manifest], bool]


@dataclass(frozen=True)
class Case:
    """A Pod by its containers and spec, and what it has come to when it is looked at.

    `apart_from` are reasons of Events and of waiting containers, and types of conditions, in which the two differ, for
    a cause that docs/differences.md names. `grace` is that of its deletion where it is deleted, its own where None.
    `image` is what its container `main` is given when it has become Ready.
    """

    containers: tuple[Manifest, ...]
    spec: Manifest
    until: Until
    apart_from: frozenset[str] = frozenset()
    grace: int | None = None
    image: str = ""

    def pod(self, name: str, node: str) -> Manifest:
        """The Pod on one of the two Nodes, which differ by their name alone."""
        spec = {"terminationGracePeriodSeconds": 2, **self.spec}
        return pod(name, *self.containers, driver="docker", node=node, **spec)


def _ended(found: Manifest) -> bool:
    return phase(found) in {"Succeeded", "Failed"}


def _restarted(found: Manifest) -> bool:
    return int(container_status(found).get("restartCount", 0)) > 0 and is_ready(found)


def _runs(found: Manifest) -> bool:
    return "running" in container_status(found).get("state", {})


def _is_not_configured(found: Manifest) -> bool:
    return waiting(found).get("reason") == "CreateContainerConfigError"


def case(
    *containers: Manifest | str,
    until: Until = _ended,
    apart_from: frozenset[str] = frozenset(),
    grace: int | None = None,
    image: str = "",
    **spec: Any,
) -> Case:
    """Build a case; a text among its containers is the script of one called `main`."""
    made = tuple(container(each) if isinstance(each, str) else each for each in containers)
    return Case(made, spec, until, apart_from, grace, image)


def _probed(script: str, **probes: Manifest) -> Manifest:
    return {**container(script), **{f"{kind}Probe": {**_OFTEN, **probe} for kind, probe in probes.items()}}


def _run(*command: str) -> Manifest:
    return {"exec": {"command": list(command)}}


#: A kubelet starts a container again at once the first time; Nomad always makes a pause.
_PAUSE = frozenset({"BackOff", "CrashLoopBackOff"})
#: A kubelet makes the sandbox first; we give Nomad nothing to start before everything is there.
_SANDBOX = frozenset({"PodReadyToStartContainers"})
#: A kubelet starts a changed container in the sandbox that is there; Nomad makes another allocation first.
_ANEW = frozenset({"ContainerCreating"}) | _SANDBOX
_FAILS_ONCE = "test -e /work/tried && exit 0; touch /work/tried; exit 3"
_WELL_THE_SECOND_TIME = "test -e /work/tried && touch /work/well; touch /work/tried; exec sleep 3600"

#: Its code tells whether something was done before it was asked to end.
_ENDS_WHEN_ASKED = "trap '[ -e /tmp/before ] && exit 8; exit 7' TERM; while true; do sleep 0.1; done"
#: A grace in which a command ends on a busy machine too.
_IN_TIME: Manifest = {**_ONCE, "terminationGracePeriodSeconds": 30}
_NAP: Manifest = {"sleep": {"seconds": 2}}
_TELLS = "echo 'no disk' > /dev/termination-log; exit 3"
_FROM_LOG: Manifest = {"terminationMessagePolicy": "FallbackToLogsOnError"}

CORPUS: dict[str, Case] = {
    "ends-well": case("sleep 1", **_ONCE),
    "ends-badly": case("sleep 1; exit 3", **_ONCE),
    "ends-on-failure": case("sleep 1", restart="OnFailure"),
    "killed": case("sleep 1; kill -9 $$", **_ONCE),
    "no-command": case(container(command=["/no/such/program"]), **_ONCE),
    "runs": case(_FOR_EVER, until=is_ready),
    "two-one-fails": case(container("exit 3", name="fails"), container("sleep 3", name="main"), **_ONCE),
    "gated": case(_FOR_EVER, until=_runs, readinessGates=[{"conditionType": "example.com/gate"}]),
    "deadline": case(
        "trap 'exit 7' TERM; while true; do sleep 0.1; done",
        activeDeadlineSeconds=20,
        **_ONCE,
    ),
    "confined": case(
        container(
            "id -u; sleep 1",
            securityContext={
                "runAsUser": 1000,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
                "allowPrivilegeEscalation": False,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        ),
        **_ONCE,
    ),
    "init": case(_FOR_EVER, until=is_ready, initContainers=[container("sleep 1", name="first")]),
    "init-in-order": case(
        container("cat /work/log", **_SHARED),
        initContainers=[
            container(f"sleep 1; echo {name} >> /work/log", name=name, **_SHARED) for name in ("a", "b", "c")
        ],
        volumes=_VOLUMES,
        **_ONCE,
    ),
    "init-fails": case("true", initContainers=[container("exit 3", name="first")], **_ONCE),
    "sidecar": case("sleep 2", initContainers=[container(_FOR_EVER, name="side", restartPolicy="Always")], **_ONCE),
    "ready-http": case(
        _probed(_SERVES, readiness={**_LATER, "httpGet": {"path": "/ok", "port": 8080}}), until=is_ready
    ),
    "unready-http": case(_probed(_SERVES, readiness={**_LATER, "httpGet": {"path": "/no", "port": 8080}}), until=_runs),
    "ready-tcp": case(_probed(_SERVES, readiness={**_LATER, "tcpSocket": {"port": 8080}}), until=is_ready),
    "ready-exec": case(_probed(_FOR_EVER, readiness={"exec": {"command": ["true"]}}), until=is_ready),
    "started-late": case(
        _probed(f"sleep 6; {_SERVES}", startup={"tcpSocket": {"port": 8080}, "failureThreshold": 60}), until=is_ready
    ),
    "never-started": case(
        _probed("trap 'exit 7' TERM; while true; do sleep 0.1; done", startup={"exec": {"command": ["false"]}}), **_ONCE
    ),
    "retried": case(container(_FAILS_ONCE, **_SHARED), apart_from=_PAUSE, restart="OnFailure", volumes=_VOLUMES),
    "init-retried": case(
        "sleep 1",
        initContainers=[container(_FAILS_ONCE, name="first", **_SHARED)],
        apart_from=_PAUSE,
        restart="OnFailure",
        volumes=_VOLUMES,
    ),
    "revived": case(
        {
            **_probed(
                _WELL_THE_SECOND_TIME,
                liveness={"exec": {"command": ["test", "-e", "/work/well"]}, "failureThreshold": 2},
            ),
            **_SHARED,
        },
        until=_restarted,
        apart_from=_PAUSE,
        volumes=_VOLUMES,
    ),
    "sidecar-ready": case(
        _FOR_EVER,
        until=is_ready,
        initContainers=[
            {
                **_probed(_FOR_EVER, readiness={"exec": {"command": ["true"]}}),
                "name": "side",
                "restartPolicy": "Always",
            }
        ],
    ),
    "leaves-a-message": case(_TELLS, **_ONCE),
    "leaves-it-elsewhere": case(container("echo mine > /tmp/said", terminationMessagePath="/tmp/said"), **_ONCE),
    "leaves-much": case("yes 0123456 | head -c 9000 > /dev/termination-log", **_ONCE),
    "leaves-a-log": case(container("yes 0123456 | head -c 9000; sleep 4; exit 3", **_FROM_LOG), **_ONCE),
    "leaves-short-lines": case(container("seq 200; sleep 4; exit 3", **_FROM_LOG), **_ONCE),
    "leaves-a-log-when-well": case(container("echo well", **_FROM_LOG), **_ONCE),
    "leaves-both": case(container(f"echo log; {_TELLS}", **_FROM_LOG), **_ONCE),
    "init-leaves-a-log": case(
        "true", initContainers=[container("echo why; sleep 4; exit 3", name="first", **_FROM_LOG)], **_ONCE
    ),
    "init-leaves-a-message": case("true", initContainers=[container(_TELLS, name="first")], **_ONCE),
    "hook-started": case(container("exec sleep 3600", lifecycle={"postStart": _run("true")}), until=is_ready),
    "hook-slept": case(container("exec sleep 3600", lifecycle={"postStart": _NAP}), until=is_ready),
    "hook-start-fails": case(container(_ENDS_WHEN_ASKED, lifecycle={"postStart": _run("false")}), **_IN_TIME),
    "hook-without-program": case(container(_ENDS_WHEN_ASKED, lifecycle={"postStart": _run("/no/such")}), **_IN_TIME),
    "hook-start-fails-with-two": case(
        container(_ENDS_WHEN_ASKED, lifecycle={"postStart": _run("false"), "preStop": _run("touch", "/tmp/before")}),
        **_IN_TIME,
    ),
    "hook-then-probes": case(
        {
            **_probed(_FOR_EVER, readiness={"exec": {"command": ["true"]}}, liveness={"exec": {"command": ["true"]}}),
            "lifecycle": {"postStart": _NAP},
        },
        until=is_ready,
    ),
    "hook-of-a-sidecar": case(
        "sleep 2",
        initContainers=[
            container(_FOR_EVER, name="side", restartPolicy="Always", lifecycle={"postStart": _run("sleep", "1")})
        ],
        **_ONCE,
    ),
    "hook-before-it-is-killed": case(
        {
            **_probed(_ENDS_WHEN_ASKED, liveness={"exec": {"command": ["false"]}, "failureThreshold": 1}),
            "lifecycle": {"preStop": _run("touch", "/tmp/before")},
        },
        **_IN_TIME,
    ),
    "hook-stop-fails": case(
        {
            **_probed(_ENDS_WHEN_ASKED, liveness={"exec": {"command": ["false"]}, "failureThreshold": 1}),
            "lifecycle": {"preStop": _run("false")},
        },
        **_IN_TIME,
    ),
    "sidecar-starts-first": case(
        container("[ -e /work/up ] || exit 9", **_SHARED),
        initContainers=[
            {
                **_probed(
                    "sleep 5; touch /work/up; exec sleep 3600",
                    startup={"exec": {"command": ["test", "-e", "/work/up"]}, "failureThreshold": 120},
                ),
                **_SHARED,
                "name": "side",
                "restartPolicy": "Always",
            }
        ],
        # How often it is asked in vain is a matter of luck.
        apart_from=frozenset({"Unhealthy"}),
        volumes=_VOLUMES,
        **_ONCE,
    ),
    "resolver": case(
        "grep -q 'nameserver 10.9.8.7' /etc/resolv.conf && grep -q 'options ndots:2' /etc/resolv.conf",
        dnsPolicy="None",
        dnsConfig={"nameservers": ["10.9.8.7"], "options": [{"name": "ndots", "value": "2"}]},
        **_ONCE,
    ),
    "sysctls": case(
        "[ $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start) = 80 ]",
        securityContext={"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]},
        **_ONCE,
    ),
    "two-sidecars": case(
        "sleep 2",
        initContainers=[container(_FOR_EVER, name=name, restartPolicy="Always") for name in ("one", "two")],
        **_ONCE,
    ),
    "asked-to-end-by-itself": case("sleep 1; kill -TERM $$; sleep 9", **_ONCE),
    "fails-beside": case(
        container(_FAILS_ONCE, **_SHARED), container("sleep 1", name="beside"), volumes=_VOLUMES, **_ONCE
    ),
    "all-fail": case(container("exit 3", name="a"), container("sleep 2; exit 4", name="b"), **_ONCE),
    "all-end-well": case(container("sleep 1", name="a"), container("sleep 2", name="b"), restart="OnFailure"),
    "shares-files": case(
        container("while [ ! -e /work/it ]; do sleep 0.2; done", name="waits", **_SHARED),
        container("sleep 1; touch /work/it", name="writes", **_SHARED),
        volumes=_VOLUMES,
        **_ONCE,
    ),
    "shares-a-network": case(
        container(_SERVES, name="serves"),
        container("until wget -q -O - http://127.0.0.1:8080/ok; do sleep 0.5; done; sleep 3600", name="asks"),
        until=is_ready,
    ),
    "waits-for-a-config-map": case(
        container("true", envFrom=[{"configMapRef": {"name": "absent"}}]),
        until=_is_not_configured,
        apart_from=_SANDBOX,
        **_ONCE,
    ),
    "waits-for-a-key": case(
        container("true", env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k"}}}]),
        until=_is_not_configured,
        apart_from=_SANDBOX,
        **_ONCE,
    ),
    "does-without-a-config-map": case(
        container("[ -z $A ]", envFrom=[{"configMapRef": {"name": "absent", "optional": True}}]), **_ONCE
    ),
    "has-a-hostname": case("[ $(hostname) = box ]", hostname="box", **_ONCE),
    "knows-itself": case(
        container(
            "[ $NAME = $HOSTNAME ] && [ $LIMIT = 33554432 ] && [ $(pwd) = /work ]",
            workingDir="/work",
            env=[
                {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
            ],
            **_SHARED,
        ),
        volumes=_VOLUMES,
        **_ONCE,
    ),
    "read-only": case(
        container("touch /here && exit 9; [ $(id -g) = 2000 ]", securityContext={"readOnlyRootFilesystem": True}),
        securityContext={"runAsUser": 1000, "runAsGroup": 2000, "supplementalGroups": [3000]},
        **_ONCE,
    ),
    "aliases": case(
        "grep -q db.local /etc/hosts", hostAliases=[{"ip": "10.9.8.7", "hostnames": ["db.local"]}], **_ONCE
    ),
    "init-and-sidecar": case(
        container("cat /work/log", **_SHARED),
        initContainers=[
            container("sleep 1; echo one >> /work/log", name="one", **_SHARED),
            container(_FOR_EVER, name="side", restartPolicy="Always"),
            container("echo two >> /work/log", name="two", **_SHARED),
        ],
        volumes=_VOLUMES,
        **_ONCE,
    ),
    "image-changed": case(_ENDS_WHEN_ASKED, until=_restarted, apart_from=_ANEW, image=OTHER_IMAGE),
    "lives-once-only": case(
        _probed(_FOR_EVER, liveness={"exec": {"command": ["false"]}, "failureThreshold": 2}), **_ONCE
    ),
}
