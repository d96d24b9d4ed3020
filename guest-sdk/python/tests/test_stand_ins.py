"""What stands in for what WebAssembly's CPython has not."""

from __future__ import annotations

import json

import pytest
from fasterapi._build import json_depth
from fasterapi._build.stand_ins import temporary_file


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
