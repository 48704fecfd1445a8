"""WebSocket (RFC 6455), the server's side, and what Kubernetes carries over it.

Messages are handed on as they come and never collected: their size does not matter, and pings between their
fragments are answered at once.
"""
