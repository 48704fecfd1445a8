"""Kubernetes' API: the connection, what follows it, and what writes to it."""
