"""The whole guest: what uvicorn can serve too, and what only the host can take: faults and Postgres."""

import database
import faults
from main import app

app.include_router(faults.router, include_in_schema=False)
app.include_router(database.router, include_in_schema=False)
