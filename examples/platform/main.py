"""Notes of several tenants in one table. The database keeps them apart, not the app: see schema.sql and host.toml."""

from typing import Annotated

from fasterapi import App, Depends, Header, HTTPException, status
from fasterapi.pg import Pg, PgPool
from pydantic import BaseModel, Field

app = App(title="Notes")
writer = PgPool("default")
reader = PgPool("default_ro")


class NewNote(BaseModel):
    text: str = Field(min_length=1, max_length=1000)


class Note(NewNote):
    id: int


class Report(BaseModel):
    notes: int
    longest: int


def tenant(x_tenant: Annotated[str, Header(pattern="^[a-z]{1,20}$")]) -> str:
    """Whose request it is. The host has told the database already; this is for a clear answer where the header is missing."""
    return x_tenant


Tenant = Annotated[str, Depends(tenant)]
Writer = Annotated[Pg, Depends(writer.get)]
Reader = Annotated[Pg, Depends(reader.get)]


@app.post("/notes", status_code=status.HTTP_201_CREATED)
def add(note: NewNote, tenant: Tenant, pg: Writer) -> Note:
    return pg.exec("INSERT INTO notes (tenant, text) VALUES ($1, $2) RETURNING id, text", tenant, note.text).model(Note)


@app.get("/notes")
def notes(tenant: Tenant, pg: Reader) -> list[Note]:
    return pg.exec("SELECT id, text FROM notes ORDER BY id").models(Note)


@app.get("/notes/{note_id}")
def note(note_id: int, tenant: Tenant, pg: Reader) -> Note:
    found = pg.exec("SELECT id, text FROM notes WHERE id = $1", note_id).model(Note)
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no note {note_id}")
    return found


@app.get("/report")
def report(tenant: Tenant, pg: Reader) -> Report:
    return pg.exec("SELECT count(*) AS notes, coalesce(max(length(text)), 0) AS longest FROM notes").model(Report)
