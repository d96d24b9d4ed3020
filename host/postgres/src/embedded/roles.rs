//! Who is who on the embedded server: the user of this machine is its superuser, an app is not. A superuser's SQL runs
//! programs and reads files as the user that Postgres runs as, and an app's SQL is not trusted.

use crate::{DatabaseConfig, PgError, session::Session};

/// The server's superuser: the first role that it has.
pub(super) const SUPERUSER: &str = "fasterapi";

/// Whom apps log in as. Each database that is made for one is its own. No schema has this name, which would come first in its
/// search path.
pub(super) const APP: &str = "fasterapi_app";

const DUPLICATE_DATABASE: &str = "42P04";
const DUPLICATE_OBJECT: &str = "42710";

/// Makes the role and the database where they are missing. Processes that do so at once take turns.
pub(super) async fn make(
    name: &str,
    on: impl Fn(&str) -> DatabaseConfig,
    database: &str,
) -> Result<(), PgError> {
    let mut session = Session::connect(&on("postgres")).await?;
    session.command("SELECT pg_advisory_lock(6612)").await?;
    unless(DUPLICATE_OBJECT, session.command(&format!("CREATE ROLE {APP} LOGIN")).await)?;
    unless(DUPLICATE_DATABASE, session.command(&format!("CREATE DATABASE {name}")).await)?;
    Session::connect(&on(database)).await?.command(&hand_over()).await
}

fn unless(sqlstate: &str, result: Result<(), PgError>) -> Result<(), PgError> {
    match result {
        Err(error) if error.sqlstate() == Some(sqlstate) => Ok(()),
        result => result,
    }
}

/// Gives a database of the superuser's to [`APP`], with what is in it, and the use of what the superuser makes in it
/// later. One that was handed over stays as it is: so this ends with the database itself.
fn hand_over() -> String {
    format!(
        "
DO $$
DECLARE
    me oid := current_user::regrole;
    object text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = current_database() AND datdba = me) THEN
        RETURN;
    END IF;
    FOR object IN
        WITH not_alone AS ( -- parts of extensions, and sequences of columns
            SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
            UNION ALL
            SELECT 'pg_class'::regclass, objid FROM pg_depend
            WHERE deptype IN ('a', 'i') AND objid IN (SELECT oid FROM pg_class WHERE relkind = 'S')
                AND classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
        ), spaces AS (
            SELECT oid, nspname, nspowner FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
        )
        SELECT format('SCHEMA %I', nspname) FROM spaces WHERE nspowner = me
        UNION ALL
        SELECT format('%s %s', kind, c.oid::regclass)
        FROM pg_class c JOIN spaces ON spaces.oid = relnamespace
        JOIN (VALUES ('r', 'TABLE'), ('p', 'TABLE'), ('S', 'SEQUENCE'), ('v', 'VIEW'), ('m', 'MATERIALIZED VIEW'),
                     ('f', 'FOREIGN TABLE')) AS kinds (relkind, kind) ON kinds.relkind = c.relkind::text
        WHERE relowner = me
            AND ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM not_alone)
        UNION ALL
        SELECT format('TYPE %s', t.oid::regtype)
        FROM pg_type t JOIN spaces ON spaces.oid = typnamespace LEFT JOIN pg_class c ON c.oid = typrelid
        WHERE typowner = me AND (typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
            AND ('pg_type'::regclass, t.oid) NOT IN (SELECT classid, objid FROM not_alone)
        UNION ALL
        SELECT format('ROUTINE %s', p.oid::regprocedure)
        FROM pg_proc p JOIN spaces ON spaces.oid = pronamespace
        WHERE proowner = me AND ('pg_proc'::regclass, p.oid) NOT IN (SELECT classid, objid FROM not_alone)
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'i')
    LOOP
        EXECUTE format('ALTER %s OWNER TO {APP}', object);
    END LOOP;
    ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO {APP};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {APP};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {APP};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON ROUTINES TO {APP};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO {APP};
    EXECUTE format('ALTER DATABASE %I OWNER TO {APP}', current_database());
END
$$"
    )
}
