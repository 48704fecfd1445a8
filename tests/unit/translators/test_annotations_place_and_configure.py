import pytest

from tests.unit.translators.pods import container, job, pod, translation
from translators.errors import Refused
from translators.records.jobs import Affinity, Constraint
from translators.support import decode_pod


def constraint(left: str, operand: str, right: str = "") -> Constraint:
    return Constraint(l_target=left, operand=operand, r_target=right)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("${attr.kernel.name} = linux", constraint("${attr.kernel.name}", "=", "linux")),
        ("${meta.rack}   !=  a b ", constraint("${meta.rack}", "!=", "a b")),
        ("${node.class} is fast", constraint("${node.class}", "is", "fast")),
        ("${attr.nomad.version} semver >= 1.8.0, < 2", constraint("${attr.nomad.version}", "semver", ">= 1.8.0, < 2")),
        ("${attr.nomad.version} version >= 1.8", constraint("${attr.nomad.version}", "version", ">= 1.8")),
        ("${node.unique.name} regexp ^a", constraint("${node.unique.name}", "regexp", "^a")),
        ("${meta.tags} set_contains a,b", constraint("${meta.tags}", "set_contains", "a,b")),
        ("${meta.tags} set_contains_all a", constraint("${meta.tags}", "set_contains_all", "a")),
        ("${meta.tags} set_contains_any a", constraint("${meta.tags}", "set_contains_any", "a")),
        ("${meta.tags} is_set", constraint("${meta.tags}", "is_set")),
        ("${meta.tags} is_not_set", constraint("${meta.tags}", "is_not_set")),
        ("${meta.rack} distinct_property 2", constraint("${meta.rack}", "distinct_property", "2")),
        ("distinct_hosts", constraint("", "distinct_hosts", "true")),
        *(
            (f"${{meta.n}} {sign} 5", constraint("${meta.n}", sign, "5"))
            for sign in ("<", "<=", ">", ">=", "==", "not")
        ),
    ],
)
def test_every_operand_of_a_constraint(line: str, expected: Constraint) -> None:
    assert job(pod(annotations={"constraints": f"\n{line}\n"})).constraints == (expected,)


def test_constraints_of_containers_bind_the_pod() -> None:
    found = job(pod(annotations={"constraints": "${meta.a} is_set", "constraints.web": "${meta.b} is_set\n"}))
    assert [one.l_target for one in found.constraints] == ["${meta.a}", "${meta.b}"]


def test_affinities_have_a_weight() -> None:
    found = job(pod(annotations={"affinities": "${node.class} = fast\n${meta.rack} = a b weight=-20"}))
    assert found.affinities == (
        Affinity(l_target="${node.class}", operand="=", r_target="fast", weight=50),
        Affinity(l_target="${meta.rack}", operand="=", r_target="a b", weight=-20),
    )


def test_datacenters_pool_and_priority() -> None:
    found = job(pod(annotations={"datacenters": "dc1, eu-* dc3", "node-pool": "edge", "priority": "70"}))
    assert (found.datacenters, found.node_pool, found.priority) == (("dc1", "eu-*", "dc3"), "edge", 70)


def test_the_provider_of_2018_named_datacenters_too() -> None:
    metadata = {"name": "p", "namespace": "n", "uid": "u", "annotations": {"nomad.hashicorp.com/datacenters": "dc9"}}
    subject = decode_pod({"metadata": metadata, "spec": {"containers": [container()]}})
    assert job(subject).datacenters == ("dc9",)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("constraints", "linux"),
        ("constraints", "kernel = linux"),
        ("constraints", "${env.HOME} = x"),
        ("constraints", "${meta.a} ~ x"),
        ("constraints", "${meta.a} ="),
        ("constraints", "${meta.a} is_set x"),
        ("constraints", "${meta.a} distinct_property 0"),
        ("affinities", "${meta.a} is_set"),
        ("affinities", "${meta.a} = b weight=0"),
        ("affinities", "${meta.a} = b weight=101"),
        ("datacenters", ","),
        ("datacenters", "dc/1"),
        ("datacenters.web", "dc1"),
        ("node-pool", "a b"),
        ("priority", "0"),
        ("priority", "101"),
        ("priority", "high"),
        ("containers", "[]"),
        ("containers", '{"web": 1}'),
        ("containers", '{"web": {"drivr": "exec"}}'),
        ("containers", '{"web": {"driver": 1}}'),
    ],
)
def test_a_malformed_annotation_is_refused_by_its_name(key: str, text: str) -> None:
    with pytest.raises(Refused) as refused:
        translation(pod(annotations={key: text}))
    assert refused.value.finding.field == f"metadata.annotations[nomad.hashinetes.io/{key}]"


@pytest.mark.parametrize(
    ("annotations", "hint"),
    [
        ({"drivers": "exec"}, "did you mean 'driver'?"),
        ({"driver.wep": "exec"}, "the Pod has no container 'wep'; did you mean 'web'?"),
        ({"containers": '{"wep": {}}'}, "the Pod has no container 'wep'; did you mean 'web'?"),
        ({"constraints": "distinct_hosts"}, "has no effect"),
        ({"constraints": "${meta.rack} distinct_property"}, "has no effect"),
        ({"zzz": "1"}, "is no setting and has no effect"),
    ],
)
def test_what_has_no_effect_is_warned_about(annotations: dict[str, str], hint: str) -> None:
    [finding] = translation(pod(annotations=annotations)).warnings
    assert hint in finding.message


def test_an_injection_of_consul_is_warned_about() -> None:
    key = "consul.hashicorp.com/connect-inject"
    metadata = {"name": "p", "namespace": "n", "uid": "u", "annotations": {key: "true"}}
    [finding] = translation(decode_pod({"metadata": metadata, "spec": {"containers": [container()]}})).warnings
    assert finding.field == f"metadata.annotations[{key}]"
