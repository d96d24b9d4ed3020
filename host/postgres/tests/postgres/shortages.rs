//! Servers that have no more: connections, log-ins, disk.

use std::{os::unix::fs::MetadataExt, path::Path, process::Command, time::Duration};

use bytes::Bytes;
use fasterapi_core::{Origin, Secret};
use fasterapi_postgres::{DatabaseConfig, PgError, PgErrorKind, PoolLimits};
use futures::future::join_all;

use crate::support::{
    Db, P, db, db_with, db_with_config, eventually, folder, one_session, pack, server, superuser, tx_value,
};

/// A pool that logs in as `role`.
fn as_role(db: &Db, role: &str, limits: PoolLimits) -> Db {
    let url = superuser().url(&db.name).replace("//fasterapi@", &format!("//{role}@"));
    let config = DatabaseConfig::from_url_in(&Secret::new(url), &|_| None).unwrap();
    db_with_config(&db.name, config.with_limits(limits))
}

async fn make_role(db: &Db, role: &str, terms: &str) {
    db.query(&format!("DROP ROLE IF EXISTS {role}"), &[]).await.unwrap();
    db.query(&format!("CREATE ROLE {role} LOGIN {terms}"), &[]).await.unwrap();
}

fn eight() -> PoolLimits {
    PoolLimits { max_size: 8.try_into().unwrap(), ..PoolLimits::default() }
}

#[tokio::test]
async fn a_server_that_is_full_makes_calls_wait_for_the_sessions_there_are() {
    let admin = db().await;
    make_role(&admin, "crowd", "CONNECTION LIMIT 2").await;
    let db = as_role(&admin, "crowd", eight());
    let calls = (0..40).map(async |n| db.value("SELECT $1::int8 FROM pg_sleep(0.01)", &[P::Int(n)]).await);
    for (n, value) in join_all(calls).await.into_iter().enumerate() {
        assert_eq!(value, n.to_string());
    }
    let status = db.status();
    assert!(status.totals.failures > 0 && status.size <= 3, "{status:?}");
    // More are let in again.
    admin.query("ALTER ROLE crowd CONNECTION LIMIT 8", &[]).await.unwrap();
    let grown = || async {
        join_all((0..8).map(|_| db.value("SELECT pg_sleep(0.05)", &[]))).await;
        db.status().size == 8
    };
    eventually("the pool grows to its size", grown).await;
}

/// A call that waits in vain for one of the sessions in use is told why there is no other.
#[tokio::test]
async fn a_log_in_that_is_refused_while_all_are_busy_is_the_calls_error() {
    let admin = db().await;
    make_role(&admin, "lonely", "CONNECTION LIMIT 1").await;
    let limits = PoolLimits { checkout_timeout: Duration::from_millis(200), ..eight() };
    let db = as_role(&admin, "lonely", limits);
    let tx = db.begin().await;
    for (terms, state) in [("LOGIN", "53300"), ("NOLOGIN", "28000")] {
        admin.query(&format!("ALTER ROLE lonely {terms}"), &[]).await.unwrap();
        let told = || async {
            let error = db.error("SELECT 1", &[]).await;
            assert_eq!((error.kind, error.retryable), (PgErrorKind::Connection, true), "{error:?}");
            error.sqlstate() == Some(state)
        };
        eventually(state, told).await;
        assert_eq!(tx_value(&tx, "SELECT 1").await, "1");
    }
}

#[tokio::test]
async fn a_refused_log_in_is_told_at_once_and_tried_again_later() {
    let admin = db().await;
    admin.query("DROP ROLE IF EXISTS latecomer", &[]).await.unwrap();
    let limits = PoolLimits { checkout_timeout: Duration::from_secs(60), ..PoolLimits::default() };
    let db = as_role(&admin, "latecomer", limits);
    for _ in 0..5 {
        let error = db.error("SELECT 1", &[]).await;
        assert_eq!((error.kind, error.sqlstate()), (PgErrorKind::Connection, Some("28000")), "{error:?}");
    }
    assert!(db.status().totals.failures < 5, "not asked each time");
    make_role(&admin, "latecomer", "").await;
    eventually("it is let in", || async { db.query("SELECT 1", &[]).await.is_ok() }).await;
}

/// A small disk of the server's own.
struct Disk(tempfile::TempDir);

impl Disk {
    /// None: it takes a right to mount that this process has not.
    fn mount() -> Option<Self> {
        let disk = Self(folder());
        let owner = std::fs::metadata(server().socket_dir()).unwrap();
        let options = format!("size=8m,mode=0700,uid={},gid={}", owner.uid(), owner.gid());
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "fasterapi-test"]).arg(disk.0.path());
        mount.status().is_ok_and(|status| status.success()).then_some(disk)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn grow(&self) {
        let grown = Command::new("mount").args(["-o", "remount,size=64m"]).arg(self.path()).status();
        assert!(grown.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn is_full<T>(result: Result<T, PgError>) {
    let error = result.err().unwrap();
    assert_eq!((error.kind, error.sqlstate()), (PgErrorKind::Database, Some("53100")), "{error:?}");
    assert_eq!((error.origin(), error.retryable), (Origin::Upstream, true));
}

#[tokio::test]
async fn a_full_disk_fails_the_statement_and_nothing_else() {
    // Beside other tests, a commit or a checkpoint may wait for this machine's own disk.
    let limits = PoolLimits { statement_timeout: Duration::from_secs(300), ..one_session() };
    let admin = db_with(limits.clone()).await;
    let db = as_role(&admin, "fasterapi", limits);
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    let Some(disk) = Disk::mount() else {
        // The same, as far as it can be said without a disk.
        is_full(db.query("DO $$ BEGIN RAISE 'full' USING ERRCODE = 'disk_full'; END $$", &[]).await);
        assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid);
        return;
    };
    let space = format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display());
    admin.query(&space, &[]).await.unwrap();
    admin.query("CREATE TABLE t (v text) TABLESPACE small", &[]).await.unwrap();
    let fill = "INSERT INTO t SELECT md5(i::text) || repeat('x', 100) FROM generate_series(1, $1) i";
    db.query(fill, &[P::Int(100)]).await.unwrap();
    is_full(db.query(fill, &[P::Int(200_000)]).await);
    let tx = db.begin().await;
    is_full(tx.query(fill, &pack(&[P::Int(200_000)])).await);
    assert!(tx.commit().await.is_err());
    let mut copy = db.database().copy_in("COPY t FROM STDIN").await.unwrap();
    let chunk = Bytes::from(format!("{}\n", "x".repeat(999)).repeat(100));
    let copied = async {
        for _ in 0..300 {
            copy.write(chunk.clone()).await?;
        }
        copy.finish().await
    };
    is_full(copied.await);
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "100");
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid, "the session lives");
    disk.grow();
    db.query(fill, &[P::Int(1000)]).await.unwrap();
    admin.query("DROP TABLE t", &[]).await.unwrap();
    admin.query("DROP TABLESPACE small", &[]).await.unwrap();
}
