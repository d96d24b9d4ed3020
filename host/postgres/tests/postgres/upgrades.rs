//! A server that is upgraded in place: stopped, its data taken over by a newer version, started at the same address.

use std::{fs, path::Path, sync::Arc};

use fasterapi_core::Secret;
use fasterapi_postgres::{DatabaseConfig, Event, PgErrorKind};

use crate::{
    outages::{full_strength, sessions},
    programs::{Programs, Running, USER, run},
    support::{P, db_with_config, eventually, folder},
};

/// Debian's version, and the pinned one, if that is newer: both are there where `cargo xtask test` runs.
fn versions() -> Option<(Programs, Programs)> {
    let (old, new) = (Programs::debian()?, Programs::pinned()?);
    (old.major() < new.major()).then_some((old, new))
}

fn upgrade(old: &Programs, new: &Programs, folder: &Path) {
    // Version 18 has checksums unless it is told otherwise, and both must be alike.
    let plain = if new.major() >= 18 { &["--no-data-checksums"][..] } else { &[] };
    new.init(&folder.join("new"), plain);
    let mut upgrade = new.command("pg_upgrade", &[]);
    upgrade.current_dir(folder).args(["-U", USER, "--no-sync", "-b"]).arg(old.folder());
    upgrade.arg("-B").arg(new.folder()).arg("-d").arg(folder.join("old")).arg("-D").arg(folder.join("new"));
    run(upgrade.arg("-s").arg(folder));
}

#[tokio::test]
async fn a_server_is_upgraded_in_place() {
    let Some((old, new)) = versions() else {
        println!("skipped: there are no two versions of the server (`cargo xtask test` has them)");
        return;
    };
    let folder = folder();
    let (path, socket) = (folder.path(), folder.path().join("s"));
    fs::create_dir(&socket).unwrap();
    old.init(&path.join("old"), &[]);
    let running = Running::start(&old, &path.join("old"), &socket, None, &[]).await;
    let url = format!("postgres://{USER}@/postgres?host={}&sslmode=disable", socket.display());
    let config = DatabaseConfig::from_url_in(&Secret::new(url), &|_| None).unwrap();
    let db = Arc::new(db_with_config("postgres", config.with_limits(sessions(2))));
    for sql in [
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE TYPE mood AS ENUM ('glad', 'sad')",
        "CREATE TABLE t (id int PRIMARY KEY, pair pair, mood mood)",
        "INSERT INTO t SELECT n, ROW(n, 'x' || n)::pair, 'sad' FROM generate_series(1, 100) n",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    let all = "SELECT pair, mood FROM t WHERE id = $1";
    let version = "SELECT current_setting('server_version_num')::int / 10000";
    for _ in 0..4 {
        assert_eq!(db.values(all, &[P::Int(7)]).await, ["(7, 'x7')", "'sad'"]);
    }
    assert_eq!(db.value(version, &[]).await, old.major().to_string());
    let mut listener = db.database().listen(&["c".to_owned()]).await.unwrap();
    running.stop();
    // A call meanwhile waits; nothing of it is lost.
    let own = Arc::clone(&db);
    let waiting = tokio::spawn(async move { own.query(all, &[P::Int(8)]).await });
    upgrade(&old, &new, path);
    let running = Running::start(&new, &path.join("new"), &socket, None, &[]).await;
    match waiting.await.unwrap() {
        Ok(answer) => assert_eq!(answer.rows[0][0].to_string(), "(8, 'x8')"),
        Err(error) => assert_eq!(error.kind, PgErrorKind::Connection, "{error:?}"),
    }
    eventually("it is let in", || async { db.query("SELECT 1", &[]).await.is_ok() }).await;
    // The same statement, prepared on the new server.
    for id in 1..20 {
        assert_eq!(db.values(all, &[P::Int(id)]).await, [format!("({id}, 'x{id}')"), "'sad'".to_owned()]);
    }
    assert_eq!(db.value(version, &[]).await, new.major().to_string());
    db.query("INSERT INTO t VALUES (101, (1, 'y'), 'glad')", &[]).await.unwrap();
    let tx = db.begin().await;
    assert_eq!(crate::support::tx_value(&tx, "SELECT count(*) FROM t").await, "101");
    tx.commit().await.unwrap();
    drop(tx);
    full_strength(&db).await;
    assert_eq!(listener.next().await, Some(Event::Gap));
    db.query("NOTIFY c, 'anew'", &[]).await.unwrap();
    assert!(
        matches!(listener.next().await, Some(Event::Notification { payload, .. }) if &*payload == "anew")
    );
    db.databases.close().await;
    running.stop();
}
