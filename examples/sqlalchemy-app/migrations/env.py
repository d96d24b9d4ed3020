"""Alembic runs here: on a developer's machine or in a deployment, never in the sandbox."""

import os

from alembic import context
from sqlalchemy import create_engine, make_url

from models import Base

url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")

with create_engine(url).connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
