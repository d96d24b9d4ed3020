"""SQLAlchemy's own pytest plugin, for this dialect."""

# mypy: ignore-errors
import itertools
import re
import sys
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from fasterapi.pg.sqlalchemy import FasterapiDialect  # noqa: E402

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403

import sqlalchemy.dialects.postgresql.provision  # noqa: E402, F401
from sqlalchemy.testing import provision  # noqa: E402

# It makes extensions that not every server has.
provision.post_configure_engine.for_db("postgresql")(lambda url, engine, ident: None)

# The suite replaces tables all the time. A statement that a session has kept is refused by the server, once, when its columns have
# changed since; so after a change each text is a new one.
_CHANGE = re.compile(r"\s*(create|alter|drop)", re.IGNORECASE)
_changes = itertools.count()
_execute = FasterapiDialect.do_execute
_suffix = ""


def _do_execute(self, cursor, statement, parameters, context=None):
    global _suffix
    if _CHANGE.match(statement):
        _suffix = f" /* {next(_changes)} */"
    _execute(self, cursor, statement + _suffix, parameters, context)


FasterapiDialect.do_execute = _do_execute
