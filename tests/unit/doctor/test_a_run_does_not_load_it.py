"""python-nomad and what comes with it are for the examination only."""

import subprocess
import sys


def test_neither_the_command_line_nor_a_run_loads_python_nomad() -> None:
    script = "import sys, vnode.cli, vnode.app; print(sorted({'nomad', 'requests', 'vnode.doctor'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - ourselves
    assert done.stdout.strip() == "[]"
