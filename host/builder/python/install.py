"""Installs an app's dependencies for the guest, with pip, and explains in JSON what cannot be installed.

usage: install.py JOB.json

Only wheels that run in the guest are taken: pure Python, and ours for WASI. pip evaluates environment markers for
the Python it runs on, so the guest's environment is put in its place. Packages that only a server needs are left
out, and packages that cannot work in the guest are refused, wherever in the tree they are asked for. Where a version
needs what is only there for other machines, pip takes an older one: that is told.

Reads from JOB: `arguments` (for `pip install`), `skip` and `refuse` (name -> reason), `spare` (name -> who does without
it -> reason), `constraints` (name -> specifier) and `result` (the file to write). Writes `{"ok": true, "installed":
{name: version}, "skipped": [name], "spared": [{"name", "by"}], "older": [{"name", "by"}]}` or `{"ok": false, "kind": …,
"packages": [{"name", "wanted", "by", "ours"}]}`. Anything else is pip's own error on stderr. Built on the internals of
the pinned pip.
"""

import json
import pathlib
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from pip._internal.commands.install import InstallCommand
from pip._internal.exceptions import InstallationError
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.candidate import InstallationCandidate
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.models.target_python import TargetPython
from pip._internal.resolution.resolvelib import resolver
from pip._internal.resolution.resolvelib.base import Requirement
from pip._internal.resolution.resolvelib.factory import Factory
from pip._vendor.packaging import markers
from pip._vendor.packaging.requirements import Requirement as Wanted
from pip._vendor.packaging.utils import canonicalize_name

PYTHON = (3, 14)
GUEST = {
    "implementation_name": "cpython",
    "implementation_version": "3.14.0",
    "os_name": "posix",
    "platform_machine": "wasm32",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "WASI",
    "platform_version": "",
    "python_full_version": "3.14.0",
    "python_version": "3.14",
    "sys_platform": "wasi",
}


class Refused(InstallationError):
    """A requirement that no choice of versions satisfies."""

    def __init__(self, kind: str, packages: list[dict[str, Any]]) -> None:
        super().__init__(f"{kind}: {', '.join(p['wanted'] for p in packages)}")
        self.report = {"ok": False, "kind": kind, "packages": packages}


class GuestFactory(Factory):
    """pip's maker of requirements, with this project's rules."""

    job: dict[str, Any] = {}
    skipped: set[str] = set()
    spared: set[tuple[str, str]] = set()
    """Names, each with who asked for it."""
    foreign: dict[tuple[str, str | None], dict[str, Any]] = {}
    """What was asked for and has nothing for the guest, in the order in which it was met."""
    refused: Refused | None = None

    def _make_requirements_from_install_req(self, ireq: Any, requested_extras: Iterable[str]) -> Iterator[Requirement]:
        name = canonicalize_name(ireq.name or "")
        wanted = ireq.match_markers(requested_extras)
        parent = getattr(ireq.comes_from, "name", None)
        if wanted and name in self.job["skip"]:
            self.skipped.add(name)
            return
        # A path or a repository would be built here, by code that no key of ours knows.
        if wanted and ireq.link is not None and (ireq.link.is_file or not ireq.link.is_wheel):
            fail("direct", [package(name, str(ireq.req or ireq.link.redacted_url), None)])
        if wanted and name in self.job["refuse"]:
            fail("refused", [package(name, str(ireq.req), parent)])
        if wanted and parent and canonicalize_name(parent) in self.job["spare"].get(name, {}):
            self.spared.add((name, canonicalize_name(parent)))
            return
        if wanted and ireq.link is None and not self._finder.find_all_candidates(name):
            self.foreign.setdefault((name, parent), package(name, str(ireq.req), parent))
        yield from super()._make_requirements_from_install_req(ireq, requested_extras)

    def get_installation_error(self, e: Any, constraints: Any) -> NoReturn:
        # What the newest version needs, before what is wrong with the older ones that were tried in its place.
        for cause in self.foreign.values():
            if any(candidate.link.is_wheel for candidate in self.published(cause)):
                fail("native", [cause])
        causes = [describe(cause.requirement, cause.parent) for cause in e.causes]
        ours = self.job["constraints"]
        against_ours = [c for c in causes if c["name"] in ours and self.published(c)]
        if against_ours:
            fail("conflict", [{**c, "ours": ours[c["name"]]} for c in against_ours])
        # The resolver tried several versions of what asks for it: the same package is missing each time.
        absent = [c for c in causes if not self._finder.find_all_candidates(c["name"])]
        if len(causes) > 1 and not absent:
            fail("conflict", causes)
        cause = (absent or causes)[0]
        links = [candidate.link for candidate in self.published(cause)]
        if any(link.is_wheel for link in links):
            fail("native", [cause])
        fail("source-only" if links else "unknown", [cause])

    def published(self, cause: dict[str, Any]) -> list[InstallationCandidate]:
        """What the index has of the wanted versions for the machine this runs on, as wheel or as source."""
        finder = PackageFinder.create(
            link_collector=self._finder._link_collector,
            selection_prefs=SelectionPreferences(allow_yanked=False),
            target_python=TargetPython(py_version_info=PYTHON),
        )
        specifier = Wanted(cause["wanted"]).specifier
        candidates = finder.find_all_candidates(cause["name"])
        return [c for c in candidates if specifier.contains(str(c.version), prereleases=True)]


def describe(requirement: Requirement, parent: Any) -> dict[str, Any]:
    _, ireq = requirement.get_candidate_lookup()
    wanted = str(ireq.req) if ireq is not None and ireq.req is not None else str(requirement)
    return package(requirement.project_name, wanted, parent.name if parent else None)


def package(name: str, wanted: str, by: str | None) -> dict[str, Any]:
    return {"name": name, "wanted": wanted.partition(";")[0].strip(), "by": by, "ours": None}


def fail(kind: str, packages: list[dict[str, Any]]) -> NoReturn:
    GuestFactory.refused = Refused(kind, packages)
    raise GuestFactory.refused


def pairs(found: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "by": by} for name, by in sorted(found)]


def installed(folder: pathlib.Path) -> dict[str, str]:
    names = (info.name.removesuffix(".dist-info").partition("-") for info in folder.glob("*.dist-info"))
    return {canonicalize_name(name): version for name, _, version in names}


def main(job_file: str) -> int:
    job = json.loads(pathlib.Path(job_file).read_text())
    GuestFactory.job = job
    markers.default_environment = lambda: dict(GUEST)  # type: ignore[assignment,return-value]
    resolver.Factory = GuestFactory  # type: ignore[misc]
    code = InstallCommand("install", "").main(job["arguments"])
    if GuestFactory.refused is not None:
        report = GuestFactory.refused.report
    elif code == 0:
        there = installed(pathlib.Path(job["target"]))
        spared, older = GuestFactory.spared, [(name, by) for name, by in GuestFactory.foreign if by and canonicalize_name(by) in there]
        report = {"ok": True, "installed": there, "skipped": sorted(GuestFactory.skipped), "spared": pairs(spared), "older": pairs(older)}
    else:
        return int(code)
    pathlib.Path(job["result"]).write_text(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
