"""SQLAlchemy's own suite for dialects, in a process of its own: its pytest plugin takes everything over."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from fasterapi.pg import Pg


def test_sqlalchemys_own_suite(pg: Pg) -> None:
    for schema in ("test_schema", "test_schema_2"):
        pg.exec(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        pg.exec(f"CREATE SCHEMA {schema}")
    # Reflection is SQLAlchemy's own SQL, in 800 combinations.
    command = [sys.executable, "-m", "pytest", "-c", "setup.cfg", "-q", "-k", "not ComponentReflectionTest", "suite.py"]
    done = subprocess.run(command, cwd=Path(__file__).parent / "sqlalchemy_suite", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-20_000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed[1]) > 900, done.stdout[-2000:]
