"""asyncpg's interface. `fasterapi.pg.asyncpg` is its public face."""
