//! What a use of a session may leave behind for the next, and that it does not: tried as someone would who wants it to.

use fasterapi_postgres::{Format, PoolLimits, Reset, RowStream};
use futures::TryStreamExt;

use crate::support::{
    Db, P, db, db_with, db_with_config, one_session, pack, server, superuser, text, tx_value,
};

/// Statements that leave something behind, how to see it, and how that looks when nothing is left.
const LEAKS: &[(&str, &str, &str)] = &[
    ("SET search_path = leaked", "SELECT current_setting('search_path')", "'\"$user\", public'"),
    ("SELECT set_config('app.user', 'leaked', false)", USER, "''"),
    ("DO $$ BEGIN PERFORM set_config('app.user', 'x', false); END $$", USER, "''"),
    ("SELECT touch()", USER, "''"),
    ("CREATE TEMP TABLE leaked (id int)", TEMPORARY, "None"),
    ("SELECT 1 AS id INTO TEMPORARY leaked", TEMPORARY, "None"),
    ("SELECT pg_advisory_lock(42)", LOCKS, "0"),
    ("LISTEN leaked", LISTENS, "0"),
    (
        "DECLARE leaked CURSOR WITH HOLD FOR SELECT 1",
        "SELECT count(*) FROM pg_cursors WHERE name = 'leaked'",
        "0",
    ),
    ("SET ROLE other", "SELECT current_user", "'fasterapi'"),
    ("SET SESSION AUTHORIZATION other", "SELECT session_user", "'fasterapi'"),
    ("SELECT nextval('numbers')", "SELECT lastval_or_null()", "None"),
    ("PREPARE leaked AS SELECT 1", PREPARED, "0"),
    // Without the words for it.
    ("UPDATE pg_settings SET setting = '7MB' WHERE name = 'work_mem'", WORK_MEM, "'4MB'"),
    (
        "UPDATE ONLY \"pg_catalog\" . \"pg_settings\" SET setting = '7MB' WHERE name = 'work_mem'",
        WORK_MEM,
        "'4MB'",
    ),
    ("UPDATE U&\"pg\\005fsettings\" SET setting = '7MB' WHERE name = 'work_mem'", WORK_MEM, "'4MB'"),
    ("SELECT U&\"set\\005fconfig\"('app.user', 'leaked', false)", USER, "''"),
    ("SELECT shop.lower('x')", USER, "''"),
    ("CALL do_touch()", USER, "''"),
    // Where a lexer may lose its way.
    ("SELECT 1 -- \r, set_config('app.user', 'leaked', false)", USER, "''"),
    ("SELECT E'a''b\\'', set_config('app.user', 'leaked', false) --'", USER, "''"),
    ("SELECT E'a'\n'b\\'', set_config('app.user', 'leaked', false) --'", USER, "''"),
    ("SELECT '/*', $$'$$, set_config('app.user', 'leaked', false), '*/'", USER, "''"),
    // Hidden from any reader.
    ("DO $$ BEGIN EXECUTE 'PREPARE leaked AS SELECT 1'; END $$", PREPARED, "0"),
    ("DO $$ BEGIN EXECUTE 'CREATE TEMP TABLE leaked (id int)'; END $$", TEMPORARY, "None"),
    ("DO $$ BEGIN PERFORM pg_advisory_lock(42); END $$", LOCKS, "0"),
    ("DO $$ BEGIN EXECUTE 'LISTEN leaked'; END $$", LISTENS, "0"),
    ("DO $$ BEGIN EXECUTE 'SET ROLE other'; END $$", "SELECT current_user", "'fasterapi'"),
    (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SELECT current_setting('default_transaction_read_only')",
        "'off'",
    ),
];

const USER: &str = "SELECT current_setting('app.user', true)";
const WORK_MEM: &str = "SELECT current_setting('work_mem')";
const TEMPORARY: &str = "SELECT to_regclass('pg_temp.leaked')";
const PREPARED: &str = "SELECT count(*) FROM pg_prepared_statements WHERE name = 'leaked'";
const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
const LISTENS: &str = "SELECT count(*) FROM pg_listening_channels()";

/// What they need.
const MAKINGS: &[&str] = &[
    "DO $$ BEGIN CREATE ROLE other; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    "CREATE SEQUENCE numbers",
    "CREATE FUNCTION touch() RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.user', 'x', false) $$",
    "CREATE PROCEDURE do_touch() LANGUAGE plpgsql AS $$ BEGIN PERFORM touch(); END $$",
    "CREATE SCHEMA shop",
    "CREATE FUNCTION shop.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT touch() $$",
    "CREATE FUNCTION lastval_or_null() RETURNS bigint LANGUAGE plpgsql AS
        $$ BEGIN RETURN lastval(); EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$",
];

#[tokio::test]
async fn nothing_leaks_to_the_next_use() {
    let db = db_with(one_session()).await;
    for sql in MAKINGS {
        db.query(sql, &[]).await.unwrap();
    }
    for (leak, look, clean) in LEAKS {
        let before = db.value("SELECT pg_backend_pid()", &[]).await;
        db.query(leak, &[]).await.unwrap_or_else(|error| panic!("{leak}: {error}"));
        let after = db.value("SELECT pg_backend_pid()", &[]).await;
        assert_eq!(db.value(look, &[]).await.replace("None", clean), *clean, "{leak}");
        // Reset, not merely thrown away; except where the host's own statements may be gone.
        assert_eq!(before == after, !leak.contains("PREPARE"), "{leak}");
    }
}

/// Without this the test above could pass because its statements leak nothing: within their own transaction, they do.
#[tokio::test]
async fn the_leaks_are_leaks() {
    let db = db().await;
    for sql in MAKINGS {
        db.query(sql, &[]).await.unwrap();
    }
    for (leak, look, clean) in LEAKS {
        if leak.contains("LISTEN") {
            // Heard from the commit on only.
            continue;
        }
        let tx = db.begin().await;
        tx.query(leak, &pack(&[])).await.unwrap_or_else(|error| panic!("{leak}: {error}"));
        assert_ne!(tx_value(&tx, look).await.replace("None", clean), *clean, "{leak}");
    }
}

/// Every way in has its own path through the host.
#[tokio::test]
async fn nothing_leaks_by_any_way() {
    let db = db_with(one_session()).await;
    let clean = async |way: &str| assert_eq!(db.value(WORK_MEM, &[]).await, "'4MB'", "{way}");
    let leak = "UPDATE pg_settings SET setting = '7MB' WHERE name = 'work_mem'";
    let call = "SELECT set_config('work_mem', '7MB', false)";
    let none = &pack(&[]);
    let item = |sql: &str| P::List(vec![text(sql), P::List(Vec::new())]);
    db.database().batch(&pack(&[item(leak), item("SELECT 1")])).await.unwrap();
    clean("batch").await;
    let tx = db.begin().await;
    tx.query(leak, none).await.unwrap();
    tx.commit().await.unwrap();
    clean("transaction").await;
    let tx = db.begin().await;
    tx.batch(&pack(&[item("SELECT 1"), item(leak)])).await.unwrap();
    tx.commit().await.unwrap();
    clean("batch in a transaction").await;
    let tx = db.begin().await;
    ended(tx.stream(call, none).await.unwrap()).await;
    tx.commit().await.unwrap();
    clean("cursor").await;
    ended(db.database().stream(call, none).await.unwrap()).await;
    clean("stream").await;
    let copy = db.database().copy_out(&format!("COPY ({call}) TO STDOUT")).await.unwrap();
    copy.try_collect::<Vec<_>>().await.unwrap();
    clean("copy").await;
    let document = db.database().document(call, none, Format::Json).await.unwrap();
    document.try_collect::<Vec<_>>().await.unwrap();
    clean("document").await;
    db.database().fetch(call, none).await.unwrap();
    clean("fetch").await;
}

async fn ended(mut stream: RowStream) {
    while stream.next().await.unwrap().is_some() {}
}

/// Makes a table `t`, an INSERT into which sets a setting of the session unseen.
async fn set_by_insert(db: &Db, setting: &str, value: &str) {
    let touch = format!(
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM set_config('{setting}', '{value}', false); RETURN NEW; END $$"
    );
    let fire = "CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch()";
    for sql in ["CREATE TABLE t (id int)", &touch, fire] {
        db.query(sql, &[]).await.unwrap();
    }
}

/// What no text shows, the server may report.
#[tokio::test]
async fn a_setting_that_is_reported_does_not_stay() {
    let db = db_with(one_session()).await;
    set_by_insert(&db, "TimeZone", "Asia/Tokyo").await;
    db.query("CREATE VIEW settings AS SELECT * FROM pg_settings", &[]).await.unwrap();
    let (zone, pid) = ("SELECT current_setting('TimeZone')", "SELECT pg_backend_pid()");
    let before = (db.value(zone, &[]).await, db.value(pid, &[]).await);
    for sql in
        ["INSERT INTO t VALUES (1)", "UPDATE settings SET setting = 'Asia/Tokyo' WHERE name = 'TimeZone'"]
    {
        db.query(sql, &[]).await.unwrap();
        assert_eq!((db.value(zone, &[]).await, db.value(pid, &[]).await), before, "{sql}");
    }
    let tx = db.begin().await;
    tx.query("INSERT INTO t VALUES (1)", &pack(&[])).await.unwrap();
    assert_eq!(tx_value(&tx, zone).await, "'Asia/Tokyo'");
    tx.commit().await.unwrap();
    assert_eq!(db.value(zone, &[]).await, before.0);
}

#[tokio::test]
async fn a_seed_does_not_make_the_next_ones_chance() {
    let db = db_with(one_session()).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        db.value("SELECT setseed(0.5)", &[]).await;
        seen.push(db.value("SELECT random()", &[]).await);
    }
    assert_ne!(seen[0], seen[1]);
}

/// Where a session looks first for what is temporary, no word says so.
#[tokio::test]
async fn tables_that_are_temporary_by_the_search_path_go() {
    let db = db().await;
    let config =
        superuser().database(&db.name).with_search_path("pg_temp, public").with_limits(one_session());
    let db = db_with_config(&db.name, config);
    for sql in
        ["CREATE TABLE leaked (id int)", "CREATE TABLE leaked AS SELECT 1", "SELECT 1 AS id INTO leaked"]
    {
        db.query(sql, &[]).await.unwrap();
        assert_eq!(db.value("SELECT to_regclass('leaked')", &[]).await, "None", "{sql}");
    }
}

/// The owner of a database may have its sessions read backslashes in plain strings.
#[tokio::test]
async fn strings_of_another_kind_hide_nothing() {
    let owner = db().await;
    let name = &owner.name;
    let sql = format!("ALTER DATABASE {name} SET standard_conforming_strings = off");
    owner.query(&sql, &[]).await.unwrap();
    let db = db_with_config(name, superuser().database(name).with_limits(one_session()));
    for _ in 0..2 {
        db.query(r"SELECT 'a\'', set_config('app.user', 'leaked', false) --'", &[]).await.unwrap();
        assert_eq!(db.value(USER, &[]).await.replace("None", "''"), "''");
    }
}

/// A guest that takes the place of the host's own prepared statement.
#[tokio::test]
async fn a_statement_of_the_hosts_cannot_be_replaced() {
    let db = db_with(one_session()).await;
    assert_eq!(db.value("SELECT 'own'", &[]).await, "'own'");
    let sql = "DO $$ DECLARE n text; BEGIN
        SELECT name INTO n FROM pg_prepared_statements WHERE statement = 'SELECT ''own''';
        EXECUTE format('DEALLOCATE %I', n); EXECUTE format('PREPARE %I AS SELECT ''replaced''', n); END $$";
    db.query(sql, &[]).await.unwrap();
    assert_eq!(db.value("SELECT 'own'", &[]).await, "'own'");
}

/// Where the server has the extension: it keeps connections of its own, which no command of the server's closes.
#[tokio::test]
async fn a_connection_of_dblink_does_not_outlive_its_use() {
    let db = db_with(one_session()).await;
    let there = "SELECT count(*) FROM pg_available_extensions WHERE name = 'dblink'";
    if db.value(there, &[]).await == "0" {
        return;
    }
    db.query("CREATE EXTENSION dblink SCHEMA public", &[]).await.unwrap();
    let folder = server().socket_dir().display();
    let connect = format!("dblink_connect('leaked', 'host={folder} user=fasterapi dbname={}')", db.name);
    for sql in [format!("SELECT {connect}"), format!("DO $$ BEGIN PERFORM {connect}; END $$")] {
        db.query(&sql, &[]).await.unwrap();
        assert_eq!(db.value("SELECT dblink_get_connections()", &[]).await, "None", "{sql}");
    }
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    db.query("SET work_mem = '7MB'", &[]).await.unwrap();
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid, "only those that have some are closed");
}

#[tokio::test]
async fn a_clean_session_is_not_reset_unless_told() {
    for (reset, kept) in [(Reset::WhenDirtied, true), (Reset::Always, false)] {
        let db = db_with(PoolLimits { reset, ..one_session() }).await;
        // A trigger touches the session unseen.
        set_by_insert(&db, "app.user", "seen").await;
        db.query("INSERT INTO t VALUES (1)", &[]).await.unwrap();
        let seen = db.value("SELECT current_setting('app.user', true)", &[]).await;
        assert_eq!(seen == "'seen'", kept, "{reset:?}: {seen}");
    }
}
