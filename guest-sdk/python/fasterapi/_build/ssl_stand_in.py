"""Stands in for `ssl`: there is no OpenSSL in a component. Enough for modules that want its names (anyio, asyncio,
http.client, urllib); whatever would need TLS raises `SSLError`. TLS is the host's."""

from __future__ import annotations

import enum
import socket
from typing import Any, NoReturn


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
    raise SSLError("TLS is not available inside a WebAssembly component; the host does it")


class SSLContext:
    """Cannot be made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse()


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


create_default_context = _create_unverified_context = _create_default_https_context = _create_stdlib_context = _refuse
wrap_socket = get_default_verify_paths = _refuse
