-- Run once by whoever owns the database, not by the app: its role can neither change this nor see past it.
DO $$ BEGIN
    CREATE ROLE notes_app NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT notes_app TO fasterapi_app;       -- the role that the host logs in with: here that of the private Postgres

CREATE TABLE IF NOT EXISTS notes (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    text   text NOT NULL
);
CREATE INDEX IF NOT EXISTS notes_of_tenant ON notes (tenant, id);
GRANT SELECT, INSERT ON notes TO notes_app;

-- Rows of other tenants are not there, whatever the app asks. Without a tenant there are none.
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own ON notes;
CREATE POLICY own ON notes USING (tenant = nullif(current_setting('app.tenant', true), ''));
