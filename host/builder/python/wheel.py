"""Packs a wheel, the same bytes every time.

usage: wheel.py JOB

JOB is JSON: `wheel` (the file to write), `tag`, `metadata` (a file), `python` (a folder) and `packages` (those of its folders that go
in), `module` and `module_path` (an extension's file, or null, and where it goes).
"""

import base64
import hashlib
import json
import pathlib
import sys
import zipfile

EPOCH = (1980, 1, 1, 0, 0, 0)
# What a compiler would read.
SOURCES = {".c", ".h", ".cpp", ".pyx", ".pxd", ".rs"}


def main(job: str) -> None:
    asked = json.loads(job)
    wheel, source = pathlib.Path(asked["wheel"]), pathlib.Path(asked["python"])
    files = {str(f.relative_to(source)): f.read_bytes() for package in asked["packages"] for f in (source / package).rglob("*") if wanted(f)}
    if asked["module"]:
        files[asked["module_path"]] = pathlib.Path(asked["module"]).read_bytes()
    info = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    files[f"{info}/METADATA"] = pathlib.Path(asked["metadata"]).read_bytes()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: fasterapi-host\nRoot-Is-Purelib: false\nTag: {asked['tag']}\n".encode()
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD").encode()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in sorted(files):
            packed.writestr(zipfile.ZipInfo(member, EPOCH), files[member])


def wanted(file: pathlib.Path) -> bool:
    return file.is_file() and file.suffix not in SOURCES


def record(files: dict[str, bytes], own: str) -> str:
    lines = [f"{member},sha256={digest(data)},{len(data)}" for member, data in sorted(files.items())]
    return "\n".join([*lines, f"{own},,", ""])


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


if __name__ == "__main__":
    main(sys.argv[1])
