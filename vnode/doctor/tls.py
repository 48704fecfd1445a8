"""What a failed TLS handshake means."""

import ssl
from enum import Enum


class TlsTrouble(Enum):
    """Whose fault it is."""

    AUTHORITY = "not signed by a trusted authority"
    NAME = "for another name"
    TIME = "not valid at this time"
    CLIENT_CERTIFICATE = "the server wants another client certificate"
    NO_TLS = "the server does not speak TLS"
    OTHER = "TLS fails"


#: X509_V_ERR_*, OpenSSL's x509_vfy.h.
_BY_VERIFICATION = {
    9: TlsTrouble.TIME,
    10: TlsTrouble.TIME,
    62: TlsTrouble.NAME,
    63: TlsTrouble.NAME,
    64: TlsTrouble.NAME,
}
#: Parts of OpenSSL's reasons for alerts that a server sends about the client's certificate.
_ABOUT_OUR_CERTIFICATE = (
    "ALERT_CERTIFICATE_REQUIRED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNKNOWN_CA",
    "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_CERTIFICATE_EXPIRED",
    "ALERT_UNSUPPORTED_CERTIFICATE",
)
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")


def judge(error: ssl.SSLError) -> TlsTrouble:
    """Say what is wrong."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _BY_VERIFICATION.get(error.verify_code, TlsTrouble.AUTHORITY)
    reason = error.reason or ""
    if any(part in reason for part in _ABOUT_OUR_CERTIFICATE):
        return TlsTrouble.CLIENT_CERTIFICATE
    return TlsTrouble.NO_TLS if reason in _NO_TLS else TlsTrouble.OTHER


def said(error: ssl.SSLError) -> str:
    """The error's words, without OpenSSL's source lines."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.rstrip(".")
    return (error.reason or str(error)).replace("_", " ").lower()
