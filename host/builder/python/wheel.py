"""Packs a wheel, the same bytes every time.

usage: wheel.py NAME VERSION TAG SDIST-FOLDER PYTHON-FOLDER MODULE-FILE MODULE-PATH OUT-FOLDER
"""

import base64
import hashlib
import pathlib
import sys
import zipfile

EPOCH = (1980, 1, 1, 0, 0, 0)


def main(name: str, version: str, tag: str, sdist: str, python: str, module: str, path: str, out: str) -> None:
    stem = f"{name.replace('-', '_')}-{version}"
    source = pathlib.Path(sdist, python)
    files = {str(f.relative_to(source)): f.read_bytes() for f in source.rglob("*") if f.is_file()}
    files[path] = pathlib.Path(module).read_bytes()
    info = f"{stem}.dist-info"
    files[f"{info}/METADATA"] = pathlib.Path(sdist, "PKG-INFO").read_bytes()
    header = f"Wheel-Version: 1.0\nGenerator: fasterapi-host\nRoot-Is-Purelib: false\nTag: {tag}\n"
    files[f"{info}/WHEEL"] = header.encode()
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD").encode()
    with zipfile.ZipFile(pathlib.Path(out, f"{stem}-{tag}.whl"), "w", zipfile.ZIP_DEFLATED) as wheel:
        for member in sorted(files):
            wheel.writestr(zipfile.ZipInfo(member, EPOCH), files[member])


def record(files: dict[str, bytes], own: str) -> str:
    lines = [f"{member},sha256={digest(data)},{len(data)}" for member, data in sorted(files.items())]
    return "\n".join([*lines, f"{own},,", ""])


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    main(*sys.argv[1:9])
