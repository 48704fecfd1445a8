"""Finds, or builds once, the servers of the bed.

Every server is a Go tool dependency pinned in ``<module>/go.mod`` beside this file; the CSI plugin is our own. A binary
is taken, in this order, from

1. the folder named by KUBEBUILDER_ASSETS, in whatever version: somebody chose it;
2. the cache, under a key made of go.mod, go.sum, our own source, Go's version and the build flags;
3. PATH, if it is of the pinned version (a release of Nomad has no mock_driver, which only load tests need);
4. `go build`, into the cache.
"""

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import run

_HERE = Path(__file__).parent
_BUILD_SECONDS = 3600
_VAULT = "github.com/hashicorp/vault"
_KUBERNETES_AUTH = "github.com/hashicorp/vault-plugin-auth-kubernetes"
_VAULT_PLUGINS = (
    (f"{_KUBERNETES_AUTH}/cmd/vault-plugin-auth-kubernetes", _KUBERNETES_AUTH),
    (f"{_VAULT}/plugins/database/postgresql/postgresql-database-plugin", _VAULT),
)


@dataclass(frozen=True)
class Tool:
    """One binary and how it is built."""

    name: str
    module: str
    package: str
    #: The module whose version in go.mod the binary prints.
    pin: str
    flags: tuple[str, ...] = ()
    cgo: bool = False
    version: tuple[str, ...] = ("--version",)


def _kubernetes(name: str, module: str = "kubernetes") -> Tool:
    pin = "k8s.io/kubernetes"
    version = pinned(module, pin)
    major, minor, _ = version.removeprefix("v").split(".")
    # Without it the server says v0.0.0-master, which kubectl cannot parse.
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())
    return Tool(name, module, f"{pin}/cmd/{name}", pin, ("-ldflags", flags))


def _cni(package: str) -> Tool:
    pin = "github.com/containernetworking/plugins"
    # Nomad reads the version that a plugin prints; Debian's say "unknown", which it does not accept.
    flags = f"-X {pin}/pkg/utils/buildversion.BuildVersion={pinned('cni', pin)}"
    return Tool(Path(package).name, "cni", f"{pin}/plugins/{package}", pin, ("-ldflags", flags))


def _vault(package: str, pin: str) -> Tool:
    # A minimal Vault has no cloud in it, and the two plugins that are wanted beside it: two thirds of the build.
    return Tool(package.rpartition("/")[2], "vault", package, pin, ("-tags", "minimal", "-ldflags", "-s -w"))


def pinned(module: str, pin: str) -> str:
    """The version of `pin` in the go.mod of `module`."""
    text = (_HERE / module / "go.mod").read_text()
    if found := re.search(rf"^\s*(?:require )?{re.escape(pin)} (v\S+)", text, re.MULTILINE):
        return found[1]
    raise BedError(f"{_HERE / module / 'go.mod'} does not pin {pin}")


CNI_PLUGINS = tuple(_cni(package) for package in ("main/bridge", "main/loopback", "ipam/host-local", "meta/firewall"))
CNI_PLUGINS += (_cni("meta/portmap"),)
TOOLS = (
    Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    # The UI takes no time to build; cgo is what the exec driver needs.
    Tool(
        "nomad",
        "nomad",
        "github.com/hashicorp/nomad",
        "github.com/hashicorp/nomad",
        ("-tags", "ui"),
        cgo=True,
        version=("version",),
    ),
    *CNI_PLUGINS,
    *(_kubernetes(name) for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")),
    # A module of its own: adding to the control plane's would have everybody build that anew.
    _kubernetes("kubelet", "kubelet"),
    Tool(
        "metrics-server",
        "metrics-server",
        "sigs.k8s.io/metrics-server/cmd/metrics-server",
        "sigs.k8s.io/metrics-server",
    ),
    Tool("csi", "csi", ".", "google.golang.org/grpc"),
    _vault(_VAULT, _VAULT),
    *(_vault(package, pin) for package, pin in _VAULT_PLUGINS),
)


def cache_directory() -> Path:
    """Where everything goes that is made once."""
    if own := os.environ.get("HASHINETES_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hashinetes"


def binary(name: str) -> Path:
    """The path of a server, built if need be."""
    tool = next(tool for tool in TOOLS if tool.name == name)
    return find(tool) or build(tool)


def cni_directory() -> Path:
    """The folder of the CNI plugins, for Nomad's `cni_path`."""
    return {(find(tool) or build(tool)).parent for tool in CNI_PLUGINS}.pop()


def find(tool: Tool) -> Path | None:
    """The tool if nothing has to be built for it."""
    if (assets := os.environ.get("KUBEBUILDER_ASSETS")) and (chosen := Path(assets) / tool.name).exists():
        return chosen
    if shutil.which("go") and (cached := _cached(tool)).exists():
        return cached
    return None if tool.module == "cni" else _on_path(tool)


def build(tool: Tool) -> Path:
    """Build the tool into the cache."""
    target = _cached(tool)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Built beside its place and moved, so that an interrupted build leaves nothing that looks finished.
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    environment = {**os.environ, "CGO_ENABLED": "1" if tool.cgo else "0", "GOFLAGS": "", "GOWORK": "off"}
    command = ["go", "build", "-mod=readonly", "-buildvcs=false", *tool.flags, "-o", str(unfinished), tool.package]
    done = subprocess.run(
        command, cwd=_HERE / tool.module, env=environment, capture_output=True, text=True, timeout=_BUILD_SECONDS,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise BedError(f"building {tool.name} failed: {done.stderr.strip()}")
    unfinished.rename(target)
    return target


def _cached(tool: Tool) -> Path:
    module = _HERE / tool.module
    sources = (module / "go.mod", module / "go.sum", *sorted(module.glob("*.go")))
    key = hashlib.sha256(b"".join(file.read_bytes() for file in sources))
    key.update(repr((_go_version(), tool.flags, tool.cgo)).encode())
    return cache_directory() / "bin" / f"{tool.module}-{key.hexdigest()[:12]}" / tool.name


def _on_path(tool: Tool) -> Path | None:
    place = shutil.which(tool.name)
    if place is None:
        return None
    wanted = pinned(tool.module, tool.pin).removeprefix("v")
    return Path(place) if wanted in run(place, *tool.version) else None


@cache
def _go_version() -> str:
    if shutil.which("go") is None:
        raise BedError(
            "Go is not installed, and the bed's servers are neither in the cache nor on PATH: install the Go that "
            f"{_HERE / 'nomad' / 'go.mod'} names, or set KUBEBUILDER_ASSETS to a folder with the binaries"
        )
    return run("go", "env", "GOVERSION").strip()
