"""`ffi` and `lib` as far as argon2-cffi calls them. cffi's own would need libffi; `_argon2` has libargon2's functions by the same names."""

from typing import NoReturn

from . import _argon2 as lib

__all__ = ["ffi", "lib"]


class FFI:
    """Arrays of bytes, as `bytearray`s."""

    NULL = None

    def new(self, kind: str, initial: int | bytes) -> bytearray:
        if kind not in ("char[]", "uint8_t[]"):
            unknown(kind)
        if isinstance(initial, int):
            if initial < 0:
                raise ValueError("negative array length")
            return bytearray(initial)
        if isinstance(initial, str):
            raise TypeError(f"initializer for ctype '{kind}' must be a bytes or list or tuple, not str")
        if not isinstance(initial, bytes):
            raise TypeError(f"expected new array length or list/tuple/str, not {type(initial).__name__}")
        return bytearray(initial + b"\0")

    def string(self, array: bytes | bytearray) -> bytes:
        return bytes(array).partition(b"\0")[0]

    def buffer(self, array: bytearray, size: int) -> memoryview:
        return memoryview(array)[:size]


def unknown(kind: str) -> NoReturn:
    raise NotImplementedError(f"ffi.new({kind!r}) does not work here: argon2.low_level has functions for all but `core`")


ffi = FFI()
