"""Who broke a protocol: the peer, or the program that uses the codec."""


class RemoteProtocolError(Exception):
    """The peer sent what it must not, and the connection cannot go on; `str()` is fit for a log line."""


class LocalProtocolError(Exception):
    """The codec was asked to send what its state forbids: a defect of the caller."""
