"""SQLAlchemy over the databases that the host lends.

    from sqlalchemy import create_engine

    engine = create_engine("postgresql+fasterapi://default")

The URL's host is the alias of a granted database; one with a database, `postgresql+fasterapi://localhost/mydb`, selects the grant by
that name, as in `PgPool`. Sync engines and sessions, Core and ORM; no greenlet is needed. The pool is the host's: an engine keeps
nothing (`NullPool`), and a `Connection` takes a connection to the server with its first statement and gives it back with `commit`
or `rollback`. So what a session would keep (`SET`, temporary tables) lasts as long as the transaction.

Importing this module registers the dialect; where `fasterapi` is installed, SQLAlchemy finds it without.
"""

from __future__ import annotations

from sqlalchemy.dialects import registry

from ._sqlalchemy.dialect import FasterapiDialect as FasterapiDialect

registry.register("postgresql.fasterapi", __name__, "FasterapiDialect")

FasterapiDialect.__module__ = __name__
