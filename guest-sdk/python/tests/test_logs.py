"""Where the app's logging goes, and in how many pieces."""

from __future__ import annotations

import io
import logging
import traceback
from typing import Any

import pytest

from fasterapi._wasm import logs


class Descriptor(io.RawIOBase):
    """Stands for file descriptor 2: remembers each write, and takes so many bytes of one."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.most = most
        self.writes: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.writes.append(bytes(data[: self.most]))
        return len(self.writes[-1])


def stderr(descriptor: Descriptor) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(descriptor), "utf-8", "backslashreplace", line_buffering=True)


@pytest.fixture
def logger() -> logging.Logger:
    made = logging.Logger("app")
    made.addHandler(logging.StreamHandler(logs._Stderr()))
    return made


def test_a_record_is_one_write(monkeypatch: pytest.MonkeyPatch, logger: logging.Logger) -> None:
    descriptor = Descriptor()
    stream = stderr(descriptor)
    monkeypatch.setattr("sys.stderr", stream)
    stream.write("before ")
    text = "\n".join(f"line {number} ü \udcff" for number in range(5000))
    logger.error(text)
    try:
        raise RuntimeError("two\nlines")
    except RuntimeError:
        logger.exception("it failed")
    first, record, trace = descriptor.writes
    assert first == b"before "
    assert record == (text + "\n").encode("utf-8", "backslashreplace")
    assert trace.startswith(b"it failed\nTraceback") and trace.endswith(b"RuntimeError: two\nlines\n")


def test_nothing_is_lost_when_less_is_taken(monkeypatch: pytest.MonkeyPatch, logger: logging.Logger) -> None:
    descriptor = Descriptor(most=7)
    monkeypatch.setattr("sys.stderr", stderr(descriptor))
    logger.error("a record of some length")
    assert b"".join(descriptor.writes) == b"a record of some length\n"


def test_another_stderr_is_written_to(monkeypatch: pytest.MonkeyPatch, logger: logging.Logger) -> None:
    other = io.StringIO()
    monkeypatch.setattr("sys.stderr", other)
    logger.error("a record")
    assert other.getvalue() == "a record\n"


@pytest.mark.parametrize("configured", [False, True], ids=["ours", "the app's"])
def test_a_record_says_its_level(monkeypatch: pytest.MonkeyPatch, configured: bool) -> None:
    descriptor = Descriptor()
    monkeypatch.setattr("sys.stderr", stderr(descriptor))
    root = logging.Logger("root", logging.WARNING)
    monkeypatch.setattr(logging, "root", root)
    monkeypatch.setattr(logging, "getLogger", lambda name=None: root)
    monkeypatch.setattr(logging, "_handlerList", [])
    if configured:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
    logs.configure()
    root.debug("one")
    root.info("two")
    root.warning("three")
    root.error("four")
    written = b"".join(descriptor.writes).decode().splitlines()
    if configured:
        assert written == ["<7>[DEBUG] one", "<6>[INFO] two", "<4>[WARNING] three", "<3>[ERROR] four"]
    else:
        assert written == ["<6>INFO:     root: two", "<4>WARNING:     root: three", "<3>ERROR:     root: four"]


def test_a_traceback_that_is_printed_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor, elsewhere = Descriptor(), io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr(descriptor))
    monkeypatch.setattr("traceback.TracebackException.print", logs._print_traceback)
    try:
        raise RuntimeError("it failed")
    except RuntimeError:
        traceback.print_exc()
        traceback.print_exc(file=elsewhere)
    (written,) = descriptor.writes
    assert written.startswith(b"Traceback (most recent call last):\n") and written.endswith(b"RuntimeError: it failed\n")
    assert elsewhere.getvalue() == written.decode()
