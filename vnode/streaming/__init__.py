"""The streaming protocols of kubectl and API servers, without I/O: bytes in, events out."""
