"""What stands in for what WebAssembly's CPython has not."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import socket
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any

import pytest
from fasterapi._build import json_depth, mmap_stand_in, record_queues, ssl_stand_in
from fasterapi._build.hash_stand_in import pbkdf2_hmac, scrypt
from fasterapi._build.stand_ins import temporary_file
from fasterapi._wasm import sockets, threads


def test_addresses_are_known_and_names_are_not() -> None:
    assert sockets._getaddrinfo("127.0.0.1", "80") == [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80))]
    assert sockets._getaddrinfo(b"::1", None, socket.AF_INET6)[0][4] == ("::1", 0, 0, 0)
    for host, family in (("localhost", 0), (None, 0), ("127.0.0.1", socket.AF_INET6)):
        with pytest.raises(socket.gaierror, match="cannot open connections"):
            sockets._getaddrinfo(host, 80, family)
    with pytest.raises(PermissionError, match="cannot open connections"):
        sockets.refuse(("127.0.0.1", 80))


def test_no_socket_reaches_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Socket(socket.socket):
        pass

    stand_in = type("module", (), {"socket": Socket})
    monkeypatch.setattr(sockets, "socket", stand_in)
    sockets.install()
    with Socket() as made, pytest.raises(PermissionError, match="cannot open connections"):
        made.connect(("127.0.0.1", 80))

    def denied(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(2, "Permission denied")

    monkeypatch.setattr(Socket, "__init__", denied)
    sockets.install()
    with pytest.raises(PermissionError, match="cannot open connections"):
        Socket()


def test_a_tls_context_is_made_and_refuses_to_speak() -> None:
    """As httpx makes one, long before it connects."""
    context = ssl_stand_in.create_default_context(cafile="/ca.pem")
    context.minimum_version = ssl_stand_in.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile="/ca.pem")
    context.set_alpn_protocols(["http/1.1"])
    assert (context.check_hostname, context.verify_mode) == (True, ssl_stand_in.CERT_REQUIRED)
    unverified = ssl_stand_in._create_unverified_context()
    assert (unverified.check_hostname, unverified.verify_mode) == (False, ssl_stand_in.CERT_NONE)
    for made in (context, unverified):
        with pytest.raises(ssl_stand_in.SSLError, match="cannot open connections"):
            made.wrap_socket(None)


def test_a_memory_map_is_refused_when_it_is_made() -> None:
    with pytest.raises(OSError, match="cannot map files or memory") as caught:
        mmap_stand_in.mmap(-1, 4096, access=mmap_stand_in.ACCESS_READ)
    assert (caught.value.errno, mmap_stand_in.error) == (errno.ENODEV, OSError)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("1", 0),
        ("[]", 1),
        ('{"a":[{"b":1},[2]]}', 3),
        ('["[[[[", "\\\\", "\\"[[[["]', 1),
        ('["unfinished [[[', 1),
        ("[" * 7, 7),
        ("]]][[", 0),
        ('["\\ud800"]', 1),
        ('["\ud800"]', 1),
    ],
)
def test_depth(text: str, expected: int) -> None:
    assert json_depth.depth(text) == expected


def test_only_what_is_too_deep_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_depth, "DEEPEST", 50)
    monkeypatch.setattr(json.JSONDecoder, "raw_decode", json_depth._checked)
    assert json.loads("[" * 50 + "]" * 50)
    assert len(json.loads("[" + "[]," * 99 + "[]]")) == 100
    with pytest.raises(RecursionError, match="more than 50 deep"):
        json.loads("[" * 51 + "]" * 51)
    with pytest.raises(RecursionError):
        json.loads("[" * 51)
    with pytest.raises(json.JSONDecodeError):
        json.loads("[" * 50)


def test_atemporary_file_is_one() -> None:
    with temporary_file() as file:
        file.write(b"data")
        file.seek(0)
        assert file.read() == b"data"
    with temporary_file("w+", encoding="latin-1") as text:
        text.write("\xe4")
        text.seek(0)
        assert text.read() == "\xe4"
        assert isinstance(text.name, str)


@pytest.mark.parametrize("name", ["sha1", "sha256", "sha512", "md5", "sha3_256", "blake2b"])
@pytest.mark.parametrize(("password", "salt", "iterations", "length"), [(b"", b"", 1, None), (b"secret", b"salt", 3, 20), (b"x" * 300, b"y" * 99, 7, 150)])
def test_pbkdf2_hmac_is_openssls(name: str, password: bytes, salt: bytes, iterations: int, length: int | None) -> None:
    expected = hashlib.pbkdf2_hmac(name, password, salt, iterations, length)
    assert pbkdf2_hmac(name, password, bytearray(salt), iterations, length) == expected


@pytest.mark.parametrize(("iterations", "length", "name"), [(0, None, "sha256"), (1, 0, "sha256"), (1, None, "no-digest"), (1, 9, "shake_128")])
def test_pbkdf2_hmac_refuses_what_openssl_refuses(iterations: int, length: int | None, name: str) -> None:
    for function in (hashlib.pbkdf2_hmac, pbkdf2_hmac):
        with pytest.raises(ValueError):
            function(name, b"a", b"b", iterations, length)


@pytest.mark.parametrize(
    "wrong",
    [{"n": 3}, {"n": 0}, {"n": -2}, {"n": 2.0}, {"n": None}, {"r": 0}, {"p": 0}, {"n": 2**15}, {"n": 2**16, "r": 1}, {"r": 2**30}]
    + [{"maxmem": -1}, {"maxmem": None}, {"dklen": 0}, {"dklen": "x"}, {"salt": None}, {"salt": "s"}],
)
def test_scrypt_refuses_what_openssl_refuses(wrong: dict[str, Any]) -> None:
    asked = {"salt": b"s", "n": 16, "r": 8, "p": 1, **wrong}
    with pytest.raises((TypeError, ValueError)) as expected:
        hashlib.scrypt(b"secret", **asked)
    with pytest.raises(expected.type) as found:
        scrypt(b"secret", **asked)
    assert expected.type is TypeError or str(found.value) == str(expected.value)


def test_a_queues_records_are_handled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in [(QueueListener, "start"), (QueueListener, "stop"), (QueueHandler, "enqueue")]:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    record_queues.install()
    seen: list[str] = []

    class Seen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
    handler, listener = QueueHandler(queue), QueueListener(queue, Seen())
    record = logging.makeLogRecord({"msg": "told"})
    listener.start()
    handler.handle(record)
    assert seen == ["told"]
    listener.stop()
    handler.handle(record)
    assert (seen, queue.qsize()) == (["told"], 1)


def test_a_pool_of_threads_runs_what_it_is_given_where_it_stands() -> None:
    begun: list[int] = []
    with threads.InlineExecutor(2, "name", begun.append, (1,)) as pool:
        assert list(pool.map(pow, range(3), range(3))) == [1, 1, 4] and begun == [1]
        assert str(pool.submit(int, "x").exception()).startswith("invalid literal")
        assert pool.submit(int, "5").done()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int)
    with pytest.raises(ValueError, match="max_workers"):
        threads.InlineExecutor(0)


def test_a_thread_is_refused_in_words() -> None:
    with pytest.raises(RuntimeError, match="can't start new thread: an app inside a component has none"):
        threads.refuse(print, ())
