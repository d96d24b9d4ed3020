"""Stands in for the part of `socket` that reaches out: a component has no network of its own.

wasi-libc asks the host for the network once and keeps the handle. Asked while the component is built, it would hold one that no instance has, and the next
call would end the instance; and what the host then says is no more than that it is not allowed. So nobody asks.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Any, NoReturn

REFUSED = "an app inside a component cannot open connections: it is reached through the host, and reaches out through what the host lends it (fasterapi.pg)"


def install() -> None:
    """Puts the stand-ins in place."""
    module: Any = socket
    made = module.socket.__init__

    def init(*args: Any, **kwargs: Any) -> None:
        try:
            made(*args, **kwargs)
        except PermissionError:  # the host's word
            refuse()

    module.socket.__init__ = init
    for name in ("bind", "connect", "connect_ex", "listen", "sendto", "sendmsg"):
        setattr(module.socket, name, refuse)
    module.getaddrinfo = _getaddrinfo
    for name in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"):
        setattr(module, name, _unknown)


def refuse(*args: Any, **kwargs: Any) -> NoReturn:
    """What would reach out."""
    raise PermissionError(errno.EACCES, REFUSED)


def _unknown(*args: Any, **kwargs: Any) -> NoReturn:
    raise socket.gaierror(getattr(socket, "EAI_FAIL", -4), REFUSED)


def _getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[tuple[Any, ...]]:
    """Addresses are known by themselves; of names, nobody is asked."""
    text = host.decode() if isinstance(host, bytes) else host
    try:
        address = ipaddress.ip_address(text)
        number = int(port or 0)
    except ValueError:
        _unknown()
    is_v6 = address.version == 6
    found = socket.AF_INET6 if is_v6 else socket.AF_INET
    if family not in (0, found):
        _unknown()
    place: tuple[Any, ...] = (str(address), number, 0, 0) if is_v6 else (str(address), number)
    return [(found, type or socket.SOCK_STREAM, proto or socket.IPPROTO_TCP, "", place)]
