"""Time zones: `zoneinfo` reads files, so those of the `tzdata` package are kept, when the app has it among its dependencies."""

from __future__ import annotations

import io
from importlib import resources
from typing import Any


def keep() -> None:
    """Keeps every zone of `tzdata` and has `zoneinfo` find them."""
    try:
        import tzdata  # noqa: F401
    except ImportError:
        return
    import zoneinfo
    from zoneinfo import _common

    names = resources.files("tzdata").joinpath("zones").read_text().split()
    kept = {name: _read(name) for name in names}

    def load_tzdata(key: str) -> io.BytesIO:
        try:
            return io.BytesIO(kept[key])
        except KeyError:
            raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}") from None

    common: Any = _common
    common.load_tzdata = load_tzdata
    zoneinfo.available_timezones = lambda: set(kept)


def _read(name: str) -> bytes:
    folder, _, file = name.rpartition("/")
    return resources.files("tzdata.zoneinfo" + ("." + folder.replace("/", ".") if folder else "")).joinpath(file).read_bytes()
