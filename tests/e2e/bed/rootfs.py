"""The tiny file systems of the bed: busybox for images and exec chroots, and a pause image for bridge networks."""

import io
import os
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import run

BUSYBOX_IMAGE = "busybox:1.36"
#: The same with another environment: `OTHER`.
OTHER_IMAGE = "busybox:1.37"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PAUSE_SOURCE = b"""
#include <signal.h>
#include <unistd.h>
static void end(int number) { (void)number; _exit(0); }
int main(void) { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }
"""
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def pause_image() -> str:
    """The image Nomad's docker driver runs for the network of a group."""
    machine = platform.machine()
    return f"registry.k8s.io/pause-{_ARCHITECTURES.get(machine, machine)}:3.3"


def build_busybox(root: Path) -> None:
    """Lay out a root file system with one static busybox and its applets as links."""
    busybox = shutil.which("busybox", path="/bin:/usr/bin:/usr/local/bin")
    if busybox is None:
        raise BedError("busybox is not installed: apt-get install busybox-static")
    for folder in ("bin", "etc", "root", "usr/bin", "var", "proc", "sys", "dev"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    shutil.copy2(busybox, root / "bin" / "busybox")
    for applet in run(busybox, "--list").split():
        if applet != "busybox":
            os.link(root / "bin" / "busybox", root / "bin" / applet)
    (root / "usr/bin/env").symlink_to("/bin/env")
    for name, text in _FILES.items():
        (root / name).write_text(text)


def build_pause(root: Path) -> None:
    """Compile a program that does nothing until SIGTERM."""
    root.mkdir(parents=True)
    try:
        subprocess.run(
            ["gcc", "-static", "-Os", "-x", "c", "-o", str(root / "pause"), "-"],
            input=_PAUSE_SOURCE,
            check=True,
            capture_output=True,
        )
    except FileNotFoundError as problem:
        raise BedError("gcc is not installed: apt-get install gcc libc6-dev") from problem
    except subprocess.CalledProcessError as problem:
        raise BedError(f"gcc could not build the pause program: {problem.stderr.decode()}") from problem


def archive(root: Path, *programs: Path) -> bytes:
    """The folder as a tar stream, as `docker import` reads it, with more programs in its /bin."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(root, arcname=".")
        for program in programs:
            tar.add(program, arcname=f"bin/{program.name}")
    return buffer.getvalue()
