"""What the detour over Kubernetes costs, measured on the real servers against Nomad alone in the same run.

``scripts/bench`` runs it. It is no timed test: every figure is printed beside its bar and judged by a reader, and the
exit code says only whether everything could be measured. What can be seen from outside of vnode is measured there: the
API server's audit log, a proxy before Nomad that counts, /proc, one watch and one event stream.
"""
