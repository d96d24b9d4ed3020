"""The SQLAlchemy dialect. `fasterapi.pg.sqlalchemy` is its public face."""
