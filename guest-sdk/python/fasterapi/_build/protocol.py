"""The two files between the builder and this package (BUILD_PROTOCOL.md)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

PROTOCOL = 1
_CONFIG = "_fasterapi_config.json"
_RESULT = "_fasterapi_result.json"


@dataclass(frozen=True)
class Config:
    """What the builder asks for."""

    module: str
    attr: str
    mode: str
    preload: tuple[str, ...]
    imports: tuple[str, ...]


class BuildError(Exception):
    """A build that ends with a message for the user."""

    def __init__(self, kind: str, error: str, *, hint: str | None = None, traceback: str | None = None, **more: Any) -> None:
        super().__init__(error)
        self.report = {"kind": kind, "error": error, "hint": hint, "traceback": traceback, **more}


def read_config(folder: str) -> Config:
    """Reads the builder's file."""
    with open(os.path.join(folder, _CONFIG), encoding="utf-8") as file:
        return parse(file.read())


def parse(text: str) -> Config:
    """Takes the builder's words."""
    config = json.loads(text)
    if config.get("protocol") != PROTOCOL:
        raise BuildError("internal", f"the builder speaks protocol {config.get('protocol')}, this SDK speaks {PROTOCOL}")
    return Config(config["module"], config["attr"], config.get("mode", "build"), tuple(config.get("preload", ())), tuple(config.get("imports", ())))


def write_result(folder: str, ok: bool, report: dict[str, Any]) -> None:
    """Writes ours."""
    with open(os.path.join(folder, _RESULT), "w", encoding="utf-8") as file:
        file.write(result(ok, report))


def result(ok: bool, report: dict[str, Any]) -> str:
    """Ours."""
    return json.dumps({"protocol": PROTOCOL, "ok": ok, **report})
