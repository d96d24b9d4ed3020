"""Makes the modules that exist only inside a component, so that the SDK's own can be imported by an ordinary Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]

import fake_host  # noqa: E402

fake_host.install_modules()


@pytest.fixture
def host() -> Iterator[fake_host.FakeHost]:
    made = fake_host.FakeHost()
    with made.running():
        yield made
