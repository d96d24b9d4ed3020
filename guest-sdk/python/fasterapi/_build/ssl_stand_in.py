"""Stands in for `ssl`: there is no OpenSSL in a component. Enough for modules that want its names (anyio, asyncio, http.client, urllib), and for clients
that make a context long before they connect (httpx); whatever would speak TLS raises `SSLError`."""

from __future__ import annotations

import enum
import socket
from typing import Any, NoReturn

from .._wasm.sockets import REFUSED


class SSLError(OSError):
    """As in `ssl`."""


class SSLZeroReturnError(SSLError):
    """As in `ssl`."""


class SSLWantReadError(SSLError):
    """As in `ssl`."""


class SSLWantWriteError(SSLError):
    """As in `ssl`."""


class SSLSyscallError(SSLError):
    """As in `ssl`."""


class SSLEOFError(SSLError):
    """As in `ssl`."""


class SSLCertVerificationError(SSLError, ValueError):
    """As in `ssl`."""


CertificateError = SSLCertVerificationError


class Purpose(enum.Enum):
    """As in `ssl`."""

    SERVER_AUTH = "SERVER_AUTH"
    CLIENT_AUTH = "CLIENT_AUTH"


class VerifyMode(enum.IntEnum):
    """As in `ssl`."""

    CERT_NONE = 0
    CERT_OPTIONAL = 1
    CERT_REQUIRED = 2


class TLSVersion(enum.IntEnum):
    """As in `ssl`."""

    MINIMUM_SUPPORTED = -2
    SSLv3 = 768
    TLSv1 = 769
    TLSv1_1 = 770
    TLSv1_2 = 771
    TLSv1_3 = 772
    MAXIMUM_SUPPORTED = -1


class Options(enum.IntFlag):
    """As in `ssl`."""

    OP_ALL = 0
    OP_IGNORE_UNEXPECTED_EOF = 128
    OP_NO_COMPRESSION = 131072


CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = VerifyMode
OP_ALL, OP_IGNORE_UNEXPECTED_EOF, OP_NO_COMPRESSION = 0, 128, 131072
PROTOCOL_TLS, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = 2, 16, 17
OPENSSL_VERSION = "none"
OPENSSL_VERSION_INFO = (0, 0, 0, 0, 0)
HAS_SNI = HAS_ALPN = False


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise SSLError(REFUSED)


class SSLContext:
    """Can be made and configured, to no effect: nothing is connected with it."""

    sslsocket_class: Any = None
    sslobject_class: Any = None

    def __init__(self, protocol: int | None = None, *args: Any, **kwargs: Any) -> None:
        self.protocol = PROTOCOL_TLS if protocol is None else protocol
        self.check_hostname = self.protocol == PROTOCOL_TLS_CLIENT
        self.verify_mode = CERT_REQUIRED if self.check_hostname else CERT_NONE
        self.minimum_version, self.maximum_version = TLSVersion.MINIMUM_SUPPORTED, TLSVersion.MAXIMUM_SUPPORTED
        self.options = Options.OP_ALL
        self.verify_flags = 0
        self.post_handshake_auth = False
        self.keylog_filename: str | None = None
        self.sni_callback: Any = None

    def _take(self, *args: Any, **kwargs: Any) -> None:
        """Takes what a context is told."""

    load_verify_locations = load_default_certs = load_cert_chain = load_dh_params = set_default_verify_paths = _take
    set_alpn_protocols = set_npn_protocols = set_ciphers = set_ecdh_curve = set_servername_callback = _take
    wrap_socket = wrap_bio = _refuse

    def get_ca_certs(self, binary_form: bool = False) -> list[Any]:
        """None were loaded."""
        return []

    def get_ciphers(self) -> list[Any]:
        """There are none."""
        return []

    def cert_store_stats(self) -> dict[str, int]:
        """None were loaded."""
        return {"x509": 0, "crl": 0, "x509_ca": 0}


class SSLObject:
    """As in `ssl`."""


class SSLSocket(socket.socket):
    """As in `ssl`."""


class MemoryBIO:
    """Cannot be made."""

    def __init__(self) -> None:
        _refuse()


class SSLSession:
    """As in `ssl`."""


def create_default_context(purpose: Purpose = Purpose.SERVER_AUTH, *, cafile: Any = None, capath: Any = None, cadata: Any = None) -> SSLContext:
    """As in `ssl`."""
    return SSLContext(PROTOCOL_TLS_CLIENT if purpose == Purpose.SERVER_AUTH else PROTOCOL_TLS_SERVER)


def _create_unverified_context(protocol: int | None = None, **options: Any) -> SSLContext:
    context = SSLContext(protocol)
    context.check_hostname, context.verify_mode = False, CERT_NONE
    return context


_create_default_https_context = create_default_context
_create_stdlib_context = _create_unverified_context
wrap_socket = get_default_verify_paths = _refuse
