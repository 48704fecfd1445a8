"""Faults between vnode and the real servers: a proxy that a pure plan tells what to do, and what must be true after."""
