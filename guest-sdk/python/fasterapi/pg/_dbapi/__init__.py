"""The DB-API driver. `fasterapi.pg.dbapi` is its public face."""
