//! Errors: the server's fields, whole; the host's and the driver's inside, nowhere.

use std::time::Duration;

use fasterapi_core::{DatabaseAlias, Origin, Secret, TenantId};
use fasterapi_postgres::{DatabaseConfig, Databases, PgErrorKind, PoolLimits};

use crate::support::{P, db, one_session, pack, server, superuser, text};

#[tokio::test]
async fn the_servers_fields_arrive() {
    let db = db().await;
    for sql in [
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.items (id int PRIMARY KEY, name text NOT NULL, price int CONSTRAINT positive CHECK (price > 0))",
        "INSERT INTO shop.items VALUES (1, 'a', 1)",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    let unique = db.error("INSERT INTO shop.items VALUES ($1, 'b', 1)", &[P::Int(1)]).await;
    assert_eq!(
        (unique.kind, unique.retryable, unique.origin()),
        (PgErrorKind::Database, false, Origin::Guest)
    );
    assert_eq!(unique.message, "duplicate key value violates unique constraint \"items_pkey\"");
    let report = unique.report.unwrap();
    assert_eq!((report.sqlstate.as_str(), report.severity.as_str()), ("23505", "ERROR"));
    assert_eq!(report.detail.as_deref(), Some("Key (id)=(1) already exists."));
    assert_eq!((report.schema.as_deref(), report.table.as_deref()), (Some("shop"), Some("items")));
    assert_eq!(
        (report.constraint.as_deref(), report.column, report.position),
        (Some("items_pkey"), None, None)
    );

    let null = db.error("INSERT INTO shop.items (id) VALUES (2)", &[]).await.report.unwrap();
    assert_eq!((null.sqlstate.as_str(), null.column.as_deref()), ("23502", Some("name")));
    let check = db.error("INSERT INTO shop.items VALUES (2, 'b', 0)", &[]).await.report.unwrap();
    assert_eq!((check.sqlstate.as_str(), check.constraint.as_deref()), ("23514", Some("positive")));

    let syntax = db.error("SELECT 'ä', FROM", &[]).await;
    let report = syntax.report.unwrap();
    assert_eq!((report.sqlstate.as_str(), report.position), ("42601", Some(13)));
    let unknown = db.error("SELECT lower(1)", &[]).await;
    assert!(unknown.report.unwrap().hint.unwrap().contains("No function matches"), "{}", unknown.message);
}

#[tokio::test]
async fn a_very_long_message_is_cut() {
    let error = db().await.error("SELECT $1::int", &[text(&"ä".repeat(1 << 20))]).await;
    assert_eq!((error.sqlstate(), error.message.len() < 9000), (Some("22P02"), true));
}

#[tokio::test]
async fn transaction_control_and_copy_have_their_own_interface() {
    let db = db().await;
    for sql in ["BEGIN", "commit", "/* x */ ROLLBACK", "COPY t FROM STDIN", "COPY (SELECT 1) TO STDOUT"] {
        assert_eq!(db.error(sql, &[]).await.kind, PgErrorKind::Usage, "{sql}");
    }
}

#[tokio::test]
async fn several_statements_in_one_are_refused_by_the_server() {
    let error = db().await.error("SELECT 1; SELECT 2", &[]).await;
    assert_eq!(error.sqlstate(), Some("42601"));
}

fn grant(config: DatabaseConfig) -> (Databases, TenantId, DatabaseAlias) {
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    (Databases::builder().grant(tenant.clone(), alias.clone(), config).build(), tenant, alias)
}

fn from_url(url: &str) -> DatabaseConfig {
    DatabaseConfig::from_url_in(&Secret::new(url.to_owned()), &|_| None).unwrap()
}

#[tokio::test]
async fn a_server_that_is_not_there_is_one_clear_line() {
    let (databases, tenant, alias) = grant(from_url("postgres://bob:hunter2@127.0.0.1:1/shop"));
    let guest = databases.database(&tenant, &alias).unwrap().query("SELECT 1", &pack(&[])).await.unwrap_err();
    assert_eq!(
        (guest.kind, guest.retryable, guest.origin()),
        (PgErrorKind::Connection, true, Origin::Upstream)
    );
    for hidden in ["127.0.0.1", "bob", "hunter2"] {
        assert!(!guest.message.contains(hidden), "{}", guest.message);
    }
    let operator = databases.check(&tenant, &alias).await.unwrap_err();
    assert_eq!(
        operator.message,
        "postgres database `default`: 127.0.0.1:1: Connection refused (os error 111)"
    );
}

#[tokio::test]
async fn a_refused_log_in_shows_the_guest_only_its_sqlstate() {
    let (databases, tenant, alias) = grant(superuser().database("missing"));
    let error = databases.database(&tenant, &alias).unwrap().query("SELECT 1", &pack(&[])).await.unwrap_err();
    assert_eq!((error.kind, error.sqlstate()), (PgErrorKind::Connection, Some("3D000")));
    assert!(!error.message.contains("missing"), "{}", error.message);
    let error = databases.check(&tenant, &alias).await.unwrap_err();
    assert!(
        error.message.contains("database \"missing\" does not exist (sqlstate 3D000)"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_waited_for_until_the_deadline() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://u@{}/d", silent.local_addr().unwrap());
    let limits = PoolLimits { connect_timeout: Duration::from_millis(100), ..PoolLimits::default() };
    let (databases, tenant, alias) = grant(from_url(&url).with_limits(limits));
    let error = databases.check(&tenant, &alias).await.unwrap_err();
    assert!(error.message.ends_with("no answer within 100ms"), "{}", error.message);
}

#[tokio::test]
async fn a_server_that_speaks_no_postgres_is_told_without_the_drivers_words() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    for mode in ["disable", "allow", "prefer", "require"] {
        let url = format!("postgres://u@{address}/d?sslmode={mode}");
        let (databases, tenant, alias) = grant(from_url(&url));
        let error = databases.check(&tenant, &alias).await.unwrap_err();
        assert_eq!(error.kind, PgErrorKind::Connection);
        assert!(
            error.message.contains("no postgres server") || error.message.contains("hung up"),
            "{mode}: {}",
            error.message
        );
    }
}

#[tokio::test]
async fn the_second_endpoint_serves_when_the_first_is_down() {
    let folder = server().socket_dir().to_str().unwrap().replace('/', "%2F");
    let url = format!("postgres://fasterapi@%2Fnowhere,{folder}/postgres");
    let (databases, tenant, alias) = grant(from_url(&url));
    databases.check(&tenant, &alias).await.unwrap();
}

#[tokio::test]
async fn grants_are_found_by_alias_and_by_url() {
    let (shop, other) = (TenantId::new("shop").unwrap(), TenantId::new("other").unwrap());
    let alias = |name: &str| DatabaseAlias::new(name).unwrap();
    let databases = Databases::builder()
        .grant(shop.clone(), alias("default"), from_url("postgres://u:p@h/items"))
        .grant(shop.clone(), alias("ro"), from_url("postgres://u:p@h2/items"))
        .grant(shop.clone(), alias("logs"), from_url("postgres://logs:p@h2"))
        .build();
    for (target, found) in [
        ("default", "default"),
        ("ro", "ro"),
        ("postgres://localhost/items", "default"),
        ("postgresql://x:y@elsewhere:1/items?sslmode=require", "default"),
        ("postgres://x/logs", "logs"),
        ("postgres://logs@x", "logs"),
        ("postgres://x/%6cogs", "logs"),
    ] {
        assert_eq!(databases.resolve(&shop, target).unwrap().as_str(), found, "{target}");
    }
    for (target, message) in [
        ("mydb", "no grant for the database `mydb`; granted: `default`, `logs`, `ro`"),
        (
            "postgres://u:hunter2@h/mydb",
            "no grant for a database named `mydb`; granted: `default`, `logs`, `ro`",
        ),
        ("mysql://u:hunter2@h/items", "no grant matches the url; granted: `default`, `logs`, `ro`"),
    ] {
        let error = databases.resolve(&shop, target).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (PgErrorKind::Denied, message));
    }
    let error = databases.resolve(&other, "default").unwrap_err();
    assert_eq!(error.message, "no grant for the database `default`; no database is granted");
    let error = databases.database(&other, &alias("default")).unwrap_err();
    assert_eq!(error.kind, PgErrorKind::Denied);
}

#[tokio::test]
async fn a_development_grant_answers_to_any_url() {
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let databases = Databases::builder()
        .grant(tenant.clone(), alias, from_url("postgres://h/app").answering_any_url())
        .grant(tenant.clone(), DatabaseAlias::new("logs").unwrap(), from_url("postgres://h/logs"))
        .build();
    assert_eq!(databases.resolve(&tenant, "postgres://localhost/mydb").unwrap().as_str(), "default");
    assert_eq!(databases.resolve(&tenant, "postgres://localhost/logs").unwrap().as_str(), "logs");
    assert!(databases.resolve(&tenant, "mydb").is_err());
}

#[tokio::test]
async fn a_full_pool_is_a_timeout_that_names_it() {
    let limits = PoolLimits { checkout_timeout: Duration::from_millis(50), ..one_session() };
    let db = crate::support::db_with(limits).await;
    // To log in may take longer than that.
    let is_open = || async { db.query("SELECT 1", &[]).await.is_ok() };
    crate::support::eventually("a session is open", is_open).await;
    let tx = db.begin().await;
    let error = db.error("SELECT 1", &[]).await;
    assert_eq!((error.kind, error.retryable), (PgErrorKind::Timeout, true));
    assert_eq!(error.message, "no session of database `default` became free within 50ms: all 1 are in use");
    tx.rollback().await.unwrap();
    assert_eq!(db.value("SELECT $1::text", &[text("free")]).await, "'free'");
}

#[tokio::test]
async fn a_closed_registry_refuses() {
    let db = db().await;
    db.value("SELECT 1", &[]).await;
    db.databases.close().await;
    assert_eq!(db.error("SELECT 1", &[]).await.kind, PgErrorKind::Connection);
}
