"""JSON nested too deep is refused, as by any CPython, with a RecursionError.

CPython measures its stack. Compiled to WebAssembly it sees only the half of it that is in linear memory, so its parser would go on
until the host ends the instance.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

DEEPEST = 5000
"""Lists and objects within each other. CPython 3.11 stops at 1000, 3.13 at 10,000."""

_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}

_decode = json.JSONDecoder.raw_decode


def install() -> None:
    """Puts the check in front of every decoder."""
    decoder: Any = json.JSONDecoder
    decoder.raw_decode = _checked


def _checked(self: json.JSONDecoder, s: str, idx: int = 0) -> Any:
    # Fewer cannot be nested deeper, and counting them costs next to nothing.
    if s.count("[") + s.count("{") > DEEPEST and depth(s) > DEEPEST:
        raise RecursionError(f"JSON nested more than {DEEPEST} deep")
    return _decode(self, s, idx)


def depth(text: str) -> int:
    """How deep a JSON text is nested; of one that is none, as far as a parser may get."""
    brackets = _STRINGS.sub(b"", text.encode("utf-8", "surrogatepass")).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets), initial=0))
