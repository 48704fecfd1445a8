"""Frozen records of the Kubernetes and Nomad objects that pass through us, with only the fields we use.

They are slotted pydantic dataclasses and not models: a cached Pod then takes a third of the memory
and a relist of 10,000 Pods a third of the CPU.
"""
