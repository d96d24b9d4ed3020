//! The supervisor: its folders, its restarts, and two of them on one folder.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use fasterapi_core::{DatabaseAlias, TenantId};
use fasterapi_postgres::{
    Databases,
    embedded::{self, Address, EmbeddedServer},
};

use crate::support::{config, db_with_config, eventually, folder, pack, server, superuser};

async fn start(folder: &Path) -> EmbeddedServer {
    let config = config(folder.to_owned());
    tokio::task::spawn_blocking(move || EmbeddedServer::start(&config)).await.unwrap().unwrap()
}

async fn stop(server: EmbeddedServer) {
    tokio::task::spawn_blocking(|| server.stop()).await.unwrap();
}

async fn run(server: &EmbeddedServer, sql: &str) -> Result<(), fasterapi_postgres::PgError> {
    run_as(&server.as_superuser(), "postgres", sql).await
}

async fn run_as(address: &Address, database: &str, sql: &str) -> Result<(), fasterapi_postgres::PgError> {
    db_with_config(database, address.database(database)).query(sql, &[]).await.map(drop)
}

#[tokio::test]
async fn a_second_start_finds_the_data_of_the_first() {
    let folder = folder();
    let server = start(folder.path()).await;
    assert!(!server.is_borrowed());
    run(&server, "CREATE TABLE kept (id int)").await.unwrap();
    assert_eq!(embedded::locate(folder.path()).unwrap().url("x"), server.url("x"));
    stop(server).await;
    assert_eq!(embedded::locate(folder.path()), None);
    let server = start(folder.path()).await;
    run(&server, "INSERT INTO kept VALUES (1)").await.unwrap();
}

#[tokio::test]
async fn the_socket_is_for_this_user_alone() {
    let mode = fs::metadata(server().socket_dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let databases =
        Databases::builder().grant(tenant.clone(), alias.clone(), superuser().database("postgres")).build();
    let sql = "SELECT current_setting('listen_addresses'), current_setting('unix_socket_permissions')";
    let block = databases.database(&tenant, &alias).unwrap().query(sql, &pack(&[])).await.unwrap();
    let row = &crate::support::Answer::read(&block).rows[0];
    assert_eq!((row[0].to_string(), row[1].to_string()), ("''".into(), "'0700'".into()));
}

#[tokio::test]
async fn a_second_supervisor_uses_the_first_ones_server_and_takes_over_from_it() {
    let folder = folder();
    let first = start(folder.path()).await;
    run(&first, "CREATE TABLE kept (id int)").await.unwrap();
    let second = start(folder.path()).await;
    assert!(second.is_borrowed());
    run(&second, "INSERT INTO kept VALUES (1)").await.unwrap();
    let third = start(folder.path()).await;
    stop(third).await;
    run(&first, "INSERT INTO kept VALUES (2)").await.unwrap();
    stop(first).await;
    eventually("the second has its own", || async {
        run(&second, "INSERT INTO kept VALUES (3)").await.is_ok()
    })
    .await;
    stop(second).await;
    assert_eq!(embedded::locate(folder.path()), None);
}

#[tokio::test]
async fn two_that_start_at_once_share_one_server() {
    let folder = folder();
    let (first, second) = tokio::join!(start(folder.path()), start(folder.path()));
    assert!(first.is_borrowed() != second.is_borrowed());
    for server in [&first, &second] {
        run(server, "SELECT 1").await.unwrap();
    }
}

#[tokio::test]
async fn databases_are_made_once() {
    for name in ["shop", "Größe \"1\"; x", "shop"] {
        server().create_database(name).await.unwrap();
        let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
        let databases =
            Databases::builder().grant(tenant.clone(), alias.clone(), server().database(name)).build();
        databases.check(&tenant, &alias).await.unwrap();
    }
    for name in ["", "a\0b", &"x".repeat(64)] {
        assert!(matches!(server().create_database(name).await, Err(embedded::EmbeddedError::Name)));
    }
}

#[tokio::test]
async fn an_app_is_no_superuser() {
    let name = "app's own";
    server().create_database(name).await.unwrap();
    let app = |sql: &'static str| run_as(server(), name, sql);
    for sql in ["CREATE TABLE its (id int)", "CREATE SCHEMA its"] {
        app(sql).await.unwrap();
    }
    let refused = [
        "COPY its TO PROGRAM 'cat'",
        "COPY its FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_export(0, '/tmp/x')",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'libc', 'getpid'",
        "CREATE ROLE other",
        "ALTER ROLE fasterapi_app SUPERUSER",
        "SET ROLE fasterapi",
        "SET SESSION AUTHORIZATION fasterapi",
        "ALTER SYSTEM SET fsync = off",
        "SET session_preload_libraries = 'x'",
    ];
    for sql in refused {
        assert_eq!(app(sql).await.unwrap_err().sqlstate(), Some("42501"), "{sql}");
    }
}

#[tokio::test]
async fn an_app_uses_what_the_superuser_makes() {
    let name = "shared";
    server().create_database(name).await.unwrap();
    let made = [
        "CREATE SCHEMA more",
        "CREATE TABLE more.items (id serial, name text)",
        "CREATE FUNCTION more.one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ];
    for sql in made {
        run_as(&superuser(), name, sql).await.unwrap();
    }
    run_as(server(), name, "INSERT INTO more.items (name) VALUES (more.one()::text)").await.unwrap();
}

/// A folder from before apps had a role of their own: all that is in its database is the superuser's.
#[tokio::test]
async fn what_an_app_made_as_the_superuser_is_its_own() {
    let name = "older";
    run_as(&superuser(), "postgres", "CREATE DATABASE older").await.unwrap();
    let made = [
        "CREATE SCHEMA \"Its own\"",
        "CREATE TYPE mood AS ENUM ('fine')",
        "CREATE TYPE pair AS (a int, b int)",
        "CREATE DOMAIN small AS int CHECK (VALUE < 10)",
        "CREATE TYPE span AS RANGE (subtype = float8)",
        "CREATE TABLE \"Its own\".items (id serial PRIMARY KEY, size int GENERATED ALWAYS AS IDENTITY, mood mood)",
        "CREATE TABLE parts (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)",
        "CREATE SEQUENCE counts",
        "CREATE VIEW seen AS SELECT * FROM parts",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM parts",
        "CREATE FUNCTION \"it's\"(small) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE PROCEDURE run() LANGUAGE sql AS 'SELECT 1'",
        "CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int)",
    ];
    for sql in made {
        run_as(&superuser(), name, sql).await.unwrap();
    }
    let (first, second) = tokio::join!(server().create_database(name), server().create_database(name));
    first.and(second).unwrap();
    let altered = [
        "INSERT INTO \"Its own\".items (mood) VALUES ('fine')",
        "ALTER TABLE \"Its own\".items ADD note text",
        "ALTER TYPE mood ADD VALUE 'good'",
        "ALTER TYPE pair ADD ATTRIBUTE c int",
        "ALTER DOMAIN small DROP CONSTRAINT small_check",
        "DROP TYPE span",
        "ALTER TABLE parts ADD note text",
        "ALTER SEQUENCE counts RESTART 5",
        "DROP VIEW seen",
        "REFRESH MATERIALIZED VIEW kept",
        "DROP FUNCTION \"it's\"",
        "DROP PROCEDURE run",
        "DROP AGGREGATE total(int)",
        "CREATE TABLE \"Its own\".more (id int)",
        "CREATE TABLE here (id int)",
    ];
    for sql in altered {
        run_as(server(), name, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[tokio::test]
async fn a_long_path_gets_a_short_socket() {
    let folder = folder();
    let long = folder.path().join("x".repeat(60)).join("y".repeat(60));
    let server = start(&long).await;
    assert!(!server.socket_dir().starts_with(&long));
    run(&server, "SELECT 1").await.unwrap();
    assert_eq!(embedded::locate(&long).unwrap().socket_dir(), server.socket_dir());
    let socket_dir = server.socket_dir().to_owned();
    stop(server).await;
    fs::remove_dir_all(socket_dir).unwrap();
}

#[tokio::test]
async fn text_is_utf8_and_case_knows_it() {
    let (tenant, alias) = (TenantId::default(), DatabaseAlias::default());
    let databases =
        Databases::builder().grant(tenant.clone(), alias.clone(), superuser().database("postgres")).build();
    let block = databases
        .database(&tenant, &alias)
        .unwrap()
        .query("SELECT upper('größe')", &pack(&[]))
        .await
        .unwrap();
    assert_eq!(crate::support::Answer::read(&block).rows[0][0].to_string(), "'GRÖSSE'".replace("SS", "ß"));
}

/// The address as users give it to psql, where psql is there.
#[tokio::test]
async fn psql_takes_the_url() {
    server().create_database("for psql").await.unwrap();
    let Ok(output) =
        Command::new("psql").args([&server().url("for psql"), "-Atc", "SELECT current_database()"]).output()
    else {
        eprintln!("psql is not installed: not tried");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "for psql", "{output:?}");
}

#[tokio::test]
async fn a_folder_that_is_a_file_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = EmbeddedServer::start(&config(file.clone())).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_broken_data_folder_shows_the_servers_own_words() {
    let folder = folder();
    let server = start(folder.path()).await;
    let data = fs::read_dir(server.socket_dir()).unwrap().flatten().map(|entry| entry.path());
    let data = data.into_iter().find(|path| path.join("PG_VERSION").exists()).unwrap();
    stop(server).await;
    fs::write(data.join("postgresql.conf"), "nonsense = [\n").unwrap();
    let error = EmbeddedServer::start(&config(folder.path().to_owned())).unwrap_err().to_string();
    assert!(error.contains("did not start") && error.contains("postgresql.conf"), "{error}");
}

/// Files that only root may reach, where the tests run as root: the server runs in a user namespace then.
#[tokio::test]
async fn a_folder_that_other_users_cannot_reach_serves() {
    let closed = folder();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let server = start(&closed.path().join("pg")).await;
    run(&server, "CREATE TABLE kept (id int)").await.unwrap();
    stop(server).await;
    let server = start(&closed.path().join("pg")).await;
    run(&server, "INSERT INTO kept VALUES (1)").await.unwrap();
}

/// The folder of [`a_host_that_is_killed`]'s server.
const KILLED: &str = "FASTERAPI_TEST_KILLED_HOST";

/// Not a test of its own: the host that the next one kills.
#[test]
#[ignore = "run by a_killed_host_leaves_a_stopped_server"]
fn a_host_that_is_killed() {
    let Some(folder) = std::env::var_os(KILLED) else { return };
    let _server = EmbeddedServer::start(&config(folder.into())).unwrap();
    println!("started");
    std::thread::park();
}

#[tokio::test]
async fn a_killed_host_leaves_a_stopped_server() {
    let folder = folder();
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::a_host_that_is_killed", "--ignored", "--nocapture"])
        .env(KILLED, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(host.stdout.take().unwrap()));
    assert!(lines.map_while(Result::ok).any(|line| line.contains("started")));
    assert!(embedded::locate(folder.path()).is_some());
    host.kill().unwrap();
    host.wait().unwrap();
    let pid_file = |entry: fs::DirEntry| entry.path().join("postmaster.pid").exists();
    let stopped = || async { !fs::read_dir(folder.path()).unwrap().flatten().any(pid_file) };
    eventually("the server has stopped in peace", stopped).await;
    let server = start(folder.path()).await;
    assert!(!server.is_borrowed());
    run(&server, "SELECT 1").await.unwrap();
}
