from pathlib import Path

import pytest

from vnode.settings import SettingsError, load


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "NOMAD_ADDR", "NOMAD_TOKEN", "NOMAD_REGION", "NOMAD_NAMESPACE", "NOMAD_CACERT"):
        monkeypatch.delenv(name, raising=False)


def config(directory: Path, text: str) -> Path:
    path = directory / "vnode.yaml"
    path.write_text(text)
    return path


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = config(tmp_path, "node_name: from-file\nnode_pool: from-file\nzone: from-file\n")
    monkeypatch.setenv("VNODE_NODE_NAME", "from-environment")
    monkeypatch.setenv("VNODE_NODE_POOL", "from-environment")
    settings = load({"node_name": "from-flag"}, file)
    assert (settings.node_name, settings.node_pool, settings.zone) == ("from-flag", "from-environment", "from-file")


def test_keys_of_the_file_may_be_written_as_flags_are(tmp_path: Path) -> None:
    assert load({}, config(tmp_path, "node-pool: edge\n")).node_pool == "edge"


def test_the_standard_variables_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOMAD_ADDR", "https://nomad.example.com:4646")
    monkeypatch.setenv("KUBECONFIG", "/etc/kubeconfig")
    settings = load({}, None)
    assert settings.nomad_address == ("https://nomad.example.com:4646",)
    assert settings.kubeconfig == Path("/etc/kubeconfig")


def test_our_own_variable_beats_the_standard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOMAD_REGION", "standard")
    monkeypatch.setenv("VNODE_NOMAD_REGION", "ours")
    assert load({}, None).nomad_region == "ours"


def test_several_addresses_are_written_with_commas_or_as_several_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNODE_NOMAD_ADDRESS", "http://a:4646, http://b:4646")
    assert load({}, None).nomad_address == ("http://a:4646", "http://b:4646")
    assert load({"nomad_address": ("http://c:4646",)}, None).nomad_address == ("http://c:4646",)


def test_policy_comes_from_the_file(tmp_path: Path) -> None:
    text = "policy:\n  drivers:\n    raw_exec: {namespaces: [team-a], commands: ['/usr/bin/*']}\n"
    assert load({}, config(tmp_path, text)).policy.of("raw_exec").namespaces == ("team-a",)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"kubelet_port": "seventy"}, "--kubelet-port: "),
        ({"kubelet_port": "70000"}, "--kubelet-port: "),
        ({"node_address": "0.0.0.0"}, "--node-address: must be an address"),  # noqa: S104 - what is refused
        ({"node_address": "nomad.example.com"}, "--node-address: "),
        ({"kubernetes_service": "api.example.com"}, "--kubernetes-service: "),
        ({"namespace_map": "k8s/{namespace}"}, "--namespace-map: "),
        (
            {"server_tls_bootstrap": True, "kubelet_certificate": "c", "kubelet_key": "k"},
            "server-tls-bootstrap and kubelet-certificate exclude each other",
        ),
        (
            {"server_tls_bootstrap": True, "node_name": "n" * 53},
            "node-name: with server-tls-bootstrap it has at most 52 characters",
        ),
        ({"kubelet_key": "key.pem"}, "kubelet-certificate and kubelet-key belong together"),
        ({"log_level": "loud"}, "--log-level: "),
    ],
)
def test_a_wrong_value_is_named_by_its_flag(flags: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(flags, None)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("node_nmae: x\n", "node-nmae: there is no such setting"),
        ("a: [", "is not YAML"),
        ("- a\n", "expected settings by name"),
        ("policy: {drivers: {qemu: {}}}\n", "--policy"),
        ("priorities: {urgent: 200}\n", "--priorities: urgent: 200 is no priority of Nomad"),
        ("priorities: {urgent: high}\n", "--priorities.urgent: .* integer"),
    ],
)
def test_a_wrong_file_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence.replace("[", r"\[")):
        load({}, config(tmp_path, text))


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load({}, tmp_path / "absent.yaml")


def test_a_token_is_never_in_an_error_or_a_repr() -> None:
    assert "hunter2" not in repr(load({"nomad_token": "hunter2"}, None))
    with pytest.raises(SettingsError) as caught:
        load({"nomad_token": "hunter2", "kubelet_port": "x"}, None)
    assert "hunter2" not in str(caught.value)


def test_the_api_server_as_tasks_reach_it_is_host_and_port() -> None:
    assert load({"kubernetes_service": "[fd00::1]:6443"}, None).kubernetes_endpoint == ("fd00::1", 6443)
    assert load({}, None).kubernetes_endpoint is None
