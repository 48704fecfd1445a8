"""The virtual node: Pods scheduled onto it run as jobs of HashiCorp Nomad."""

from importlib.metadata import version

__version__ = version("hashinetes")
