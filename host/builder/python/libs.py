"""Takes libpython3.14.so and libc.so out of the componentize-py wheel, for extensions to link against.

usage: libs.py FOLDER

The wheel's own extension module carries them as zstd frames. Each is known by what it exports, not by its place.
"""

import importlib.util
import pathlib
import sys
from collections.abc import Iterator

import zstandard

FRAME = b"\x28\xb5\x2f\xfd"
WASM = b"\0asm"
WANTED = {"libpython3.14.so": "Py_Initialize", "libc.so": "malloc"}
EXPORTS = 7


def frames(data: bytes) -> Iterator[bytes]:
    """Every zstd frame in `data` that decompresses; the magic number also occurs by chance."""
    at = data.find(FRAME)
    while at >= 0:
        step = len(FRAME)
        decoder = zstandard.ZstdDecompressor().decompressobj()
        try:
            content = decoder.decompress(memoryview(data)[at:])
        except zstandard.ZstdError:
            content = b""
        if decoder.eof:
            step = len(data) - at - len(decoder.unused_data)
            yield content
        at = data.find(FRAME, at + step)


def leb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def exports(module: bytes) -> set[str]:
    at = 8
    while at < len(module):
        section = module[at]
        length, at = leb(module, at + 1)
        if section == EXPORTS:
            return set(export_names(module, at))
        at += length
    return set()


def export_names(module: bytes, at: int) -> Iterator[str]:
    count, at = leb(module, at)
    for _ in range(count):
        length, at = leb(module, at)
        yield module[at : at + length].decode()
        _, at = leb(module, at + length + 1)


def main(folder: pathlib.Path) -> None:
    spec = importlib.util.find_spec("componentize_py")
    if spec is None or spec.origin is None:
        sys.exit("componentize-py is not installed")
    missing = dict(WANTED)
    for carrier in pathlib.Path(spec.origin).parent.glob("*.so"):
        for frame in frames(carrier.read_bytes()):
            names = exports(frame) if frame.startswith(WASM) else set()
            for library, symbol in list(missing.items()):
                if symbol in names:
                    (folder / library).write_bytes(frame)
                    del missing[library]
    if missing:
        sys.exit(f"not found in componentize-py: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
