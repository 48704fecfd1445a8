"""Pure translation between Kubernetes and Nomad: no I/O, no clock, no client library."""
