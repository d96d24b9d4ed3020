"""The folders mounted at build time, and how their files are named to people."""

from __future__ import annotations

META = "/0"
APP = "/1"
SITE = "/2"

_SHOWN = ((APP + "/", ""), (SITE + "/", "site-packages/"), ("/python/", "python3.14/"), ("/bundled/", "componentize-py/"), ("/world/", "componentize-py/"))


def shown(path: str) -> str:
    """The path as a traceback shows it: relative to the project, `site-packages/…` or `python3.14/…`."""
    for mounted, name in _SHOWN:
        if path.startswith(mounted):
            return name + path[len(mounted) :]
    return path


def is_users(path: str) -> bool:
    """Whether a shown path is a file of the user's project."""
    return not path.startswith(("site-packages/", "python3.14/", "componentize-py/", "<", "/"))
