"""SPDY/3.1 as github.com/moby/spdystream speaks it, the server's side.

No flow-control windows are kept, for neither spdystream nor Kubernetes have any: the back-pressure is TCP's.
"""
