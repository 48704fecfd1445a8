"""The test bed: a real Kubernetes control plane, a real Nomad cluster and a real Docker on one machine.

Start reading in `bed.py`. Nothing here is imported by the product; tests, scripts and the bench use it.
"""
