"""`hashlib.pbkdf2_hmac` where Python was built without OpenSSL, whose it is: RFC 8018, section 5.2, upon `hashlib`'s own digests.

It takes as many calls of a digest as OpenSSL would, at some microseconds each.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def pbkdf2_hmac(hash_name: str, password: Buffer, salt: Buffer, iterations: int, dklen: int | None = None) -> bytes:
    """As in `hashlib`."""
    if not isinstance(hash_name, str):
        raise TypeError(f"argument 'hash_name' must be str, not {type(hash_name).__name__}")
    digest = hashlib.new(hash_name)
    length = digest.digest_size if dklen is None else dklen
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    if length < 1:
        raise ValueError("key length must be greater than 0.")
    key = _Key(digest, bytes(memoryview(password)))
    start = bytes(memoryview(salt))
    blocks = range(1, -(-length // digest.digest_size) + 1)
    return b"".join(_block(key, start + block.to_bytes(4, "big"), iterations) for block in blocks)[:length]


class _Key:
    """HMAC of one key: its two digests, as far as the key alone takes them (RFC 2104)."""

    def __init__(self, digest: Any, password: bytes) -> None:
        if len(password) > digest.block_size:
            password = hashlib.new(digest.name, password).digest()
        padded = password.ljust(digest.block_size, b"\0")
        self._inner, self._outer = digest.copy(), digest.copy()
        self._inner.update(padded.translate(_INNER))
        self._outer.update(padded.translate(_OUTER))

    def hmac(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()  # type: ignore[no-any-return]


def _block(key: _Key, start: bytes, iterations: int) -> bytes:
    found = key.hmac(start)
    mixed = int.from_bytes(found, "big")
    for _ in range(iterations - 1):
        found = key.hmac(found)
        mixed ^= int.from_bytes(found, "big")
    return mixed.to_bytes(len(found), "big")
