import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.unit.translators.pods import CONTEXT, OPEN, Value, pod
from translators.errors import Refused
from translators.pod_to_job import Translation, address, translate
from translators.records.jobs import Job
from translators.records.pods import Pod

JOB = TypeAdapter(Job)

#: Every text of a user begins with this, so that it is found wherever it goes.
MARK = "user"
TEXT = st.lists(
    st.sampled_from(["$", "{", "${", "%{", "}", "(", ")", "A", "HOME", "é", '"', "\\", "\n", "{{", " ", "/"]),
    max_size=6,
).map(lambda parts: MARK + "".join(parts))
NUL = st.just(f"{MARK}\0")
NAME = st.sampled_from(["b", "c-1", "web", "http-x"])
AMOUNT = st.sampled_from(["100m", "1", "64Mi", "1e3", "2", "5M", "0", "-1", "x", "9E"])
CHECKED = "https://h/x?checksum=sha256:" + "a" * 64
SETTINGS = {
    "driver": st.sampled_from(["docker", "exec", "raw-exec", "mock_driver", "docker", "qemu", ""]),
    "artifact": st.sampled_from([CHECKED, CHECKED, "https://h/x", f"https://h/{MARK}${{A}}"]),
    "user": TEXT,
    "work-dir": TEXT,
    "ports": st.sampled_from(["static", "static", "dynamic", "x"]),
    "task-config": st.sampled_from(['{"user${a}": "user%{b}"}', "{}", '{"user": ["user${x}"]}', "["]),
    "constraints": st.sampled_from(["${meta.a} = b", "distinct_hosts", "${meta.a} is_set", "x y z"]),
    "affinities": st.sampled_from(["${meta.a} = b weight=-5", "${meta.a} = b", "${meta.a} weight=5"]),
    "datacenters": st.sampled_from(["a, b", "*", "a b", ","]),
    "node-pool": st.sampled_from(["edge", "x1", "a b"]),
    "priority": st.sampled_from(["1", "100", "50", "999", "²"]),
    "containers": st.sampled_from(['{"a": {"driver": "exec"}}', "{}", '{"a": 1}']),
    "driver.a": st.sampled_from(["exec", "raw_exec"]),
    "nonsense": TEXT,
}


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


ENV = st.fixed_dictionaries(
    {"name": st.sampled_from(["A", "B", "C", "D", "a-b", "NOMAD_META_x-y"])},
    optional={
        "value": TEXT | st.sampled_from(["$(A)", "${HOME}"]) | NUL,
        "valueFrom": st.sampled_from(
            ["metadata.name", "metadata.labels['a']", "status.hostIP", "status.podIP", "x"]
        ).map(lambda path: {"fieldRef": {"fieldPath": path}}),
    },
)
PORT = st.fixed_dictionaries(
    {"containerPort": st.integers(1, 65535) | st.just(80)},
    optional={
        "name": NAME,
        "hostPort": st.integers(1, 65535) | st.just(80),
        "protocol": st.sampled_from(["TCP", "TCP", "UDP", "SCTP"]),
        "hostIP": st.sampled_from(["", "", "127.0.0.1"]),
    },
)
AMOUNTS = st.dictionaries(st.sampled_from(["cpu", "memory", "ephemeral-storage"]), AMOUNT, max_size=3)
CONTAINER = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "a", "web", "b", "c-1", "alloc"]), "image": TEXT},
    optional={
        "command": st.lists(TEXT | st.just("$(A)"), max_size=2),
        "args": st.lists(TEXT | st.just("$(A)"), max_size=2),
        "workingDir": TEXT.map("/{}".format),
        "env": st.lists(ENV, max_size=3),
        "ports": st.lists(PORT, max_size=3),
        "resources": objects(requests=AMOUNTS, limits=AMOUNTS),
        "tty": st.booleans(),
        "newest": st.integers(),
        "livenessProbe": st.sampled_from([None, {}, {}, {"exec": {}}]),
    },
)
PODS = st.builds(
    lambda containers, annotations, spec: pod(*containers, annotations=annotations, **spec),
    st.lists(CONTAINER, min_size=1, max_size=3, unique_by=lambda one: str(one["name"])),
    st.fixed_dictionaries({}, optional=SETTINGS),
    objects(
        restartPolicy=st.sampled_from(["Always", "OnFailure", "Never", "Never", "x"]),
        terminationGracePeriodSeconds=st.sampled_from([0, 5, 30, 60, -1, 2**63 - 1]),
        hostNetwork=st.booleans(),
        hostname=NAME,
        runtimeClassName=st.sampled_from(["", "nomad-exec", "nomad-raw-exec", "other"]),
        securityContext=st.sampled_from([{}, {"runAsNonRoot": False}, {"runAsUser": 1}]),
    ),
)


def attempt(subject: Pod) -> Translation | str:
    try:
        return translate(subject, CONTEXT, OPEN)
    except Refused as refused:
        return str(refused)


def texts(value: Value) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.items() for text in texts(list(item))]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else []


@settings(max_examples=60, deadline=None)
@given(PODS)
def test_every_pod_becomes_a_job_or_a_refusal_and_always_the_same(subject: Pod) -> None:
    outcome = attempt(subject)
    assert outcome == attempt(subject)
    assert address(subject, CONTEXT) in {"host", "allocation", ""}
    if isinstance(outcome, Translation):
        written = JOB.dump_json(outcome.job, by_alias=True, exclude_none=True)
        assert JOB.validate_json(written) == outcome.job


@settings(max_examples=100, deadline=None)
@given(PODS)
def test_no_text_of_a_user_is_live_anywhere(subject: Pod) -> None:
    outcome = attempt(subject)
    if not isinstance(outcome, Translation):
        return
    for task in outcome.job.task_groups[0].tasks:
        for text in texts(task.config):
            rest = re.sub(r'\$\{"(?:\\u[0-9a-f]{4})+"\}|\$\$\{|%%\{', "", text)
            assert re.search(r"\$\{|%\{", rest) is None
        for text in (value for value in task.env.values() if MARK in value):
            assert re.search(r"\$\{[a-zA-Z0-9_\-.]+\}", text) is None
        for template in task.templates:
            assert MARK not in template.embedded_tmpl
        for text in (task.user or "", *(one.getter_source + one.relative_dest for one in task.artifacts)):
            assert "${" not in text
