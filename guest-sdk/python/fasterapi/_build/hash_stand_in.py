"""`hashlib.pbkdf2_hmac` and `scrypt` where Python was built without OpenSSL, whose they are: RFC 8018, section 5.2, and RFC 7914.

What takes long of them is in a native module, `_fasterapi_kdf`, which a component has where something may call them
(guest-sdk/wasi-wheels/fasterapi-kdf). Without it there is no scrypt, and PBKDF2 takes some microseconds a round.
"""

from __future__ import annotations

import hashlib
import importlib
import operator
from types import ModuleType
from typing import Any, SupportsIndex, TypeAlias

kdf: ModuleType | None
try:
    kdf = importlib.import_module("_fasterapi_kdf")
except ModuleNotFoundError:
    kdf = None

Buffer: TypeAlias = bytes | bytearray | memoryview

_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_IN_C = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"})
_LARGEST = 2**31 - 1
_SCRYPT_MEMORY = 32 << 20


def install(digests: Any) -> None:
    """Gives `hashlib` what it lacks and can have."""
    if not hasattr(digests, "pbkdf2_hmac"):
        digests.pbkdf2_hmac = pbkdf2_hmac
    if kdf is not None and not hasattr(digests, "scrypt"):
        digests.scrypt = scrypt


def pbkdf2_hmac(hash_name: str, password: Buffer, salt: Buffer, iterations: SupportsIndex, dklen: SupportsIndex | None = None) -> bytes:
    """As in `hashlib`."""
    if not isinstance(hash_name, str):
        raise TypeError(f"pbkdf2_hmac() argument 'hash_name' must be str, not {type(hash_name).__name__}")
    secret, start, rounds = _bytes(password), _bytes(salt), operator.index(iterations)
    digest = hashlib.new(hash_name)
    if not digest.digest_size:
        raise ValueError(f"{hash_name} has no length of its own")
    length = digest.digest_size if dklen is None else operator.index(dklen)
    _check("iteration value", rounds)
    _check("key length", length)
    return _derived(_Key(digest, secret), start, rounds, length)


def scrypt(
    password: Buffer,
    *,
    salt: Buffer | None = None,
    n: int | None = None,
    r: int | None = None,
    p: int | None = None,
    maxmem: SupportsIndex = 0,
    dklen: SupportsIndex = 64,
) -> bytes:
    """As in `hashlib`; fails with `MemoryError` where the instance has less left than `n` and `r` ask for."""
    secret = _bytes(password)
    if salt is None:
        raise TypeError("salt is required")
    start, cost, width, flows = _bytes(salt), _unsigned("n", n), _unsigned("r", r), _unsigned("p", p)
    memory, length = operator.index(maxmem), operator.index(dklen)
    if cost < 2 or cost & (cost - 1):
        raise ValueError("n must be a power of 2.")
    if not 0 <= memory <= _LARGEST:
        raise ValueError(f"maxmem must be positive and smaller than {_LARGEST}")
    if not 0 < length <= _LARGEST:
        raise ValueError(f"dklen must be greater than 0 and smaller than {_LARGEST}")
    _check_cost(cost, width, flows, memory or _SCRYPT_MEMORY)
    key = _Key(hashlib.sha256(), secret)
    blocks = _derived(key, start, 1, 128 * width * flows)
    mixed: bytes = kdf.scrypt_mix(blocks, 128 * width, cost)  # type: ignore[union-attr]
    return _derived(key, mixed, 1, length)


def _bytes(data: Buffer) -> bytes:
    try:
        return bytes(memoryview(data))
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not '{type(data).__name__}'") from None


def _unsigned(name: str, number: object) -> int:
    if number is not None and not isinstance(number, int):
        raise TypeError(f"scrypt() argument '{name}' must be int, not {type(number).__name__}")
    if number is None or not 0 <= number < 2**64:
        raise TypeError(f"{name} is required and must be an unsigned int")
    return number


def _check(what: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{what} must be greater than 0.")
    if number > _LARGEST:
        raise OverflowError(f"{what} is too great.")


def _check_cost(n: int, r: int, p: int, limit: int) -> None:
    """As OpenSSL's EVP_PBE_scrypt() does."""
    if not r or not p:
        raise ValueError("Invalid parameter combination for n, r, p, maxmem.")
    if 128 * r * (n + 2 + p) > limit or (r < 4 and n >= 1 << 16 * r):
        raise ValueError("[digital envelope routines] memory limit exceeded")


class _Key:
    """HMAC of one key: its two digests, as far as the key alone takes them (RFC 2104)."""

    def __init__(self, digest: Any, password: bytes) -> None:
        self.name, self.size = digest.name, digest.digest_size
        if len(password) > digest.block_size:
            password = hashlib.new(digest.name, password).digest()
        padded = password.ljust(digest.block_size, b"\0")
        self.pads = padded.translate(_INNER), padded.translate(_OUTER)
        self._inner, self._outer = digest.copy(), digest.copy()
        self._inner.update(self.pads[0])
        self._outer.update(self.pads[1])

    def hmac(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()  # type: ignore[no-any-return]


def _derived(key: _Key, start: bytes, iterations: int, length: int) -> bytes:
    blocks = range(1, -(-length // key.size) + 1)
    return b"".join(_block(key, start + block.to_bytes(4, "big"), iterations) for block in blocks)[:length]


def _block(key: _Key, start: bytes, iterations: int) -> bytes:
    found = key.hmac(start)
    if kdf is not None and iterations > 1 and key.name in _IN_C:
        return kdf.pbkdf2_rounds(key.name, *key.pads, found, iterations)  # type: ignore[no-any-return]
    mixed = int.from_bytes(found, "big")
    for _ in range(iterations - 1):
        found = key.hmac(found)
        mixed ^= int.from_bytes(found, "big")
    return mixed.to_bytes(len(found), "big")
