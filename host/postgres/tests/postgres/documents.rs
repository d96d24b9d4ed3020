//! Documents, with the server's own JSON and COPY as the oracle.

use fasterapi_postgres::{Document, Format, PgError, PgErrorKind};
use futures::TryStreamExt;

use crate::support::{Db, P, db, eventually, pack, text};

async fn whole(document: Document) -> Result<String, PgError> {
    let parts: Vec<bytes::Bytes> = document.try_collect().await?;
    Ok(String::from_utf8(parts.concat()).unwrap())
}

pub async fn document(db: &Db, sql: &str, params: &[P], format: Format) -> Result<String, PgError> {
    whole(db.database().document(sql, &pack(params), format).await?).await
}

const VALUES: &str =
    "SELECT i AS \"Id\", 'q\"\\ü\n' || i AS text, i / 3.0 AS numeric, i * 1e-7::float8 AS float,
    CASE i WHEN 1 THEN 'NaN'::float8 WHEN 2 THEN '-Infinity' END AS odd, i % 2 = 0 AS flag, NULL AS nothing,
    ARRAY[[1, NULL], [i, 2]] AS nested, '\\x00ff'::bytea AS bytes, '{\"a\":  1e400}'::json AS json,
    ROW(i, 'x')::text AS row, int4range(1, i) AS range, '2024-02-29 12:00:00.5+00'::timestamptz AS at,
    '1 day 02:03:04'::interval AS span, ''::text AS empty, 'a'::char(5) AS padded, '10.0.0.1/8'::inet AS inet
    FROM generate_series(1, 300) AS i";

#[tokio::test]
async fn json_is_the_servers_own() {
    let db = db().await;
    let rows = document(&db, VALUES, &[], Format::Json).await.unwrap();
    let sql = format!("SELECT '[' || string_agg(to_json(q)::text, ',') || ']' = $1 FROM ({VALUES}) AS q");
    assert_eq!(db.value(&sql, &[text(&rows)]).await, "True");
    let lines = document(&db, VALUES, &[], Format::NdJson).await.unwrap();
    assert_eq!(lines.lines().count(), 300);
    assert_eq!(format!("[{}]", lines.trim_end().replace('\n', ",")), rows);
}

#[tokio::test]
async fn csv_is_what_copy_writes() {
    let db = db().await;
    let mut copy = db
        .database()
        .copy_out(&format!("COPY ({VALUES}) TO STDOUT WITH (FORMAT csv, HEADER)"))
        .await
        .unwrap();
    let mut expected = Vec::new();
    while let Some(part) = copy.next().await.unwrap() {
        expected.extend(part);
    }
    let written = document(&db, VALUES, &[], Format::Csv).await.unwrap();
    assert_eq!(written, String::from_utf8(expected).unwrap());
}

#[tokio::test]
async fn statements_of_every_kind_give_documents() {
    let db = db().await;
    db.query("CREATE TABLE t (i int)", &[]).await.unwrap();
    for (sql, expected) in [
        ("INSERT INTO t VALUES (1), (2) RETURNING i", "[{\"i\":1},{\"i\":2}]"),
        ("UPDATE t SET i = i + 1 RETURNING i;", "[{\"i\":2},{\"i\":3}]"),
        ("TABLE t -- all of it", "[{\"i\":2},{\"i\":3}]"),
        ("WITH x AS (SELECT i FROM t) SELECT max(i) AS i FROM x", "[{\"i\":3}]"),
        ("VALUES (1, 'a')", "[{\"column1\":1,\"column2\":\"a\"}]"),
        ("SELECT 1 AS a, 2 AS a", "[{\"a\":1,\"a\":2}]"),
        ("DELETE FROM t RETURNING i", "[{\"i\":2},{\"i\":3}]"),
        ("TABLE t", "[]"),
    ] {
        assert_eq!(document(&db, sql, &[], Format::Json).await.unwrap(), expected, "{sql}");
    }
    assert_eq!(document(&db, "TABLE t", &[], Format::NdJson).await.unwrap(), "");
    assert_eq!(document(&db, "TABLE t", &[], Format::Csv).await.unwrap(), "i\n");
    assert_eq!(document(&db, "SELECT $1 || 'b' AS s", &[text("a")], Format::Csv).await.unwrap(), "s\nab\n");
}

#[tokio::test]
async fn an_error_at_the_start_comes_at_once_and_where_it_is() {
    let db = db().await;
    for format in [Format::Json, Format::NdJson, Format::Csv] {
        let error = document(&db, "SELECT nowhere", &[], format).await.unwrap_err();
        let report = error.report.unwrap();
        assert_eq!((report.sqlstate.as_str(), report.position), ("42703", Some(8)), "{format:?}");
        let error = document(&db, "SELECT $1::int", &[], format).await.unwrap_err();
        assert_eq!(error.kind, PgErrorKind::Usage, "{format:?}");
    }
}

#[tokio::test]
async fn an_error_in_the_middle_is_no_end() {
    let sql = "SELECT 1 / (50000 - i) AS i FROM generate_series(1, 100000) AS i";
    let error = document(&db().await, sql, &[], Format::Json).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("22012"));
}

#[tokio::test]
async fn a_document_that_is_dropped_ends_on_the_server() {
    let db = db().await;
    let sql = "SELECT i, repeat('x', 1000) FROM generate_series(1, 100000000) AS i";
    let mut document = db.database().document(sql, &pack(&[]), Format::Json).await.unwrap();
    assert!(document.try_next().await.unwrap().is_some());
    drop(document);
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()";
    eventually("the statement ends", async || db.value(running, &[]).await == "0").await;
}
