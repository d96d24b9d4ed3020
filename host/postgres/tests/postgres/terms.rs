//! What a grant sets for its sessions and statements.

use std::sync::Arc;

use fasterapi_core::{DatabaseAlias, TenantId};
use fasterapi_postgres::{Database, DatabaseConfig, Databases, Format, PgErrorKind, TransactionOptions};
use futures::TryStreamExt;

use crate::support::{Answer, P, db, one_session, pack, superuser, text, tx_value};

async fn granted(terms: impl FnOnce(DatabaseConfig) -> DatabaseConfig) -> (Databases, Database) {
    let name = db().await.name;
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let config = terms(superuser().database(&name).with_limits(one_session()));
    let databases = Databases::builder().grant(tenant.clone(), alias.clone(), config).build();
    let database = databases.database(&tenant, &alias).unwrap();
    (databases, database)
}

async fn value(database: &Database, sql: &str) -> String {
    let block = database.query(sql, &pack(&[])).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    Answer::read(&block).rows.first().map(|row| row[0].to_string()).unwrap_or_default()
}

fn once(sql: &str) -> P {
    P::List(vec![text(sql), P::List(Vec::new())])
}

#[tokio::test]
async fn a_session_has_its_role_and_path_after_every_reset() {
    let admin = db().await;
    admin
        .query("DO $$ BEGIN CREATE ROLE terms_role; EXCEPTION WHEN duplicate_object THEN END $$", &[])
        .await
        .unwrap();
    let (_databases, database) =
        granted(|config| config.with_role("terms_role").with_search_path("\"a b\", pg_catalog")).await;
    for _ in 0..2 {
        assert_eq!(value(&database, "SELECT current_user").await, "'terms_role'");
        assert_eq!(value(&database, "SHOW search_path").await, "'\"a b\", pg_catalog'");
        value(&database, "SET search_path = elsewhere").await;
    }
    let error = database.query("CREATE TABLE public.t (i int)", &pack(&[])).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42501"));
}

#[tokio::test]
async fn variables_hold_for_each_statement_and_no_longer() {
    let (_databases, plain) = granted(|config| config).await;
    let awkward = "o'hara\\'; SELECT 1 --";
    let variables = [("app.tenant_id".into(), awkward.into()), ("app.other".into(), "".into())];
    let database = plain.clone().with_variables(Arc::new(variables));
    let shown = "SELECT current_setting('app.tenant_id', true)";
    let expected = value(&plain, &format!("SELECT '{}'", awkward.replace('\'', "''"))).await;
    assert_eq!(value(&database, shown).await, expected);
    let tx = database.begin(TransactionOptions::default()).await.unwrap();
    assert_eq!(tx_value(&tx, shown).await, expected);
    tx.commit().await.unwrap();
    let lines = database.document(shown, &pack(&[]), Format::Csv).await.unwrap();
    let lines: Vec<bytes::Bytes> = lines.try_collect().await.unwrap();
    assert_eq!(lines.concat(), format!("current_setting\n{awkward}\n").into_bytes());
    let block = database.batch(&pack(&[once(shown), once(shown)])).await.unwrap();
    let shown_by = |answer: &Answer| answer.rows[0][0].to_string();
    assert!(Answer::read_all(&block).iter().all(|answer| shown_by(answer) == expected));
    let mut copy = database.copy_out(&format!("COPY ({shown}) TO STDOUT (FORMAT csv)")).await.unwrap();
    assert_eq!(copy.next().await.unwrap().unwrap(), format!("{awkward}\n"));
    assert!(copy.next().await.unwrap().is_none());
    // One session served all of it: nothing is left behind.
    assert_eq!(value(&plain, shown).await, "''");
}

#[tokio::test]
async fn statements_under_variables_are_committed_or_not() {
    let (_databases, plain) = granted(|config| config).await;
    let database = plain.clone().with_variables(Arc::new([("app.x".into(), "1".into())]));
    value(&database, "CREATE TABLE t (i int PRIMARY KEY)").await;
    value(&database, "INSERT INTO t VALUES (1)").await;
    let error = database.query("INSERT INTO t VALUES (2), (1)", &pack(&[])).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("23505"));
    assert_eq!(value(&plain, "SELECT count(*) FROM t").await, "1");
    let error = database.stream("INSERT INTO t VALUES (3) RETURNING i", &pack(&[])).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("25006"));
    let error = database.copy_in("COPY t FROM STDIN").await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Usage);
    // What cannot be sent ahead of its rows: an error behind them undoes it all the same.
    let sql = "INSERT INTO t SELECT i FROM generate_series(10, 12) AS s(i) RETURNING 1 / (12 - i)";
    assert_eq!(database.query(sql, &pack(&[])).await.unwrap_err().sqlstate(), Some("22012"));
    let sql = "INSERT INTO t VALUES (4) RETURNING i";
    assert_eq!(value(&database, sql).await, "4");
    assert_eq!(value(&plain, "SELECT count(*) FROM t").await, "2");
    // Refused before anything was sent, or at its end, and the session goes on.
    let error = database.query("SELECT $1::int8", &pack(&[])).await.unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Usage);
    value(&database, "ALTER TABLE t ADD CONSTRAINT late UNIQUE (i) DEFERRABLE INITIALLY DEFERRED").await;
    value(&database, "ALTER TABLE t DROP CONSTRAINT t_pkey").await;
    for sql in ["INSERT INTO t VALUES (4)", "INSERT INTO t VALUES (4) RETURNING i"] {
        assert_eq!(database.query(sql, &pack(&[])).await.unwrap_err().sqlstate(), Some("23505"), "{sql}");
    }
    assert_eq!(value(&plain, "SELECT count(*) FROM t").await, "2");
}

#[tokio::test]
async fn a_wrong_variable_runs_nothing() {
    let (_databases, plain) = granted(|config| config).await;
    value(&plain, "CREATE TABLE t (i int)").await;
    let database = plain.clone().with_variables(Arc::new([("no such".into(), "1".into())]));
    for sql in ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1) RETURNING i"] {
        let error = database.query(sql, &pack(&[])).await.unwrap_err();
        assert!(error.message.contains("no such"), "{sql}: {error}");
    }
    assert_eq!(value(&plain, "SELECT count(*) FROM t").await, "0");
}

#[tokio::test]
async fn a_policy_sees_the_variable() {
    let admin = db().await;
    for sql in [
        "DO $$ BEGIN CREATE ROLE terms_tenant; EXCEPTION WHEN duplicate_object THEN END $$",
        "CREATE TABLE note (tenant text, body text)",
        "INSERT INTO note VALUES ('a', 'of a'), ('b', 'of b')",
        "ALTER TABLE note ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON note USING (tenant = current_setting('app.tenant_id'))",
        "GRANT SELECT ON note TO terms_tenant",
    ] {
        admin.query(sql, &[]).await.unwrap();
    }
    let config = superuser().database(&admin.name).with_role("terms_tenant");
    let databases = Databases::builder().grant(TenantId::default(), DatabaseAlias::default(), config).build();
    let database = databases.database(&TenantId::default(), &DatabaseAlias::default()).unwrap();
    for tenant in ["a", "b"] {
        let own = database.clone().with_variables(Arc::new([("app.tenant_id".into(), tenant.into())]));
        assert_eq!(value(&own, "SELECT string_agg(body, ',') FROM note").await, format!("'of {tenant}'"));
    }
}
