"""Stands in for `mmap`: enough for packages that import it in case they need it (prometheus_client). A map is refused, as by a file system that has none."""

from __future__ import annotations

import errno
from typing import Any, NoReturn

error = OSError

ACCESS_DEFAULT, ACCESS_READ, ACCESS_WRITE, ACCESS_COPY = range(4)
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MAP_SHARED, MAP_PRIVATE = 1, 2
MAP_ANON = MAP_ANONYMOUS = 32
PAGESIZE = ALLOCATIONGRANULARITY = 65536


class mmap:
    """As in `mmap`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise OSError(errno.ENODEV, "an app in WebAssembly cannot map files or memory: read the file")
