"""`python -m vnode` is `vnode`."""

from vnode.cli import main

main()
