//! Transactions that get in each other's way, many at a time: what was acknowledged is done once, what must hold holds,
//! and retries turn failures into successes. `--nocapture` shows the rates.

#![allow(clippy::print_stdout, reason = "the rates are for the reader")]

use std::sync::Arc;

use fasterapi_postgres::{Isolation, PgError, PgErrorKind, PoolLimits, Transaction, TransactionOptions};
use tokio::sync::Barrier;

use crate::support::{Answer, Db, P, db_with, pack, text};

const PAIRS: i128 = 8;

fn options(isolation: Isolation, retries: u32) -> TransactionOptions {
    TransactionOptions { isolation: Some(isolation), retries, ..Default::default() }
}

async fn with_tables(statements: &[&str]) -> Db {
    let db = db_with(PoolLimits { max_size: 16.try_into().unwrap(), ..PoolLimits::default() }).await;
    for sql in statements {
        db.query(sql, &[]).await.unwrap();
    }
    db
}

async fn run(tx: &Transaction, sql: &str, params: &[P]) -> Result<Answer, PgError> {
    tx.query(sql, &pack(params)).await.map(|block| Answer::read(&block))
}

/// What came of a transaction: committed or not, and its replays.
struct Came {
    committed: bool,
    replays: u32,
}

/// The only failure that may come.
fn came(tx: &Transaction, result: Result<(), PgError>) -> Came {
    if let Err(error) = &result {
        assert_eq!(error.kind, PgErrorKind::Database, "{error:?}");
        assert!(matches!(error.sqlstate(), Some("40001" | "40P01")) && error.retryable, "{error:?}");
    }
    Came { committed: result.is_ok(), replays: tx.replays() }
}

fn rate(what: &str, all: &[Came]) -> usize {
    let committed = all.iter().filter(|came| came.committed).count();
    let replays: u32 = all.iter().map(|came| came.replays).sum();
    println!("{what}: {committed} of {} committed, {replays} replays", all.len());
    committed
}

/// Two withdraw from two accounts that together must not fall below 0. Each looks at both before either writes.
async fn withdraw(db: &Db, pair: i128, side: i128, met: &Barrier, retries: u32) -> Came {
    let tx = db.begin_with(options(Isolation::Serializable, retries)).await;
    let work = async {
        let enough = "SELECT sum(balance) >= 100 FROM accounts WHERE pair = $1";
        let answer = run(&tx, enough, &[P::Int(pair)]).await;
        met.wait().await;
        assert_eq!(answer?.rows[0][0].to_string(), "True");
        let take = "UPDATE accounts SET balance = balance - 100 WHERE pair = $1 AND side = $2";
        run(&tx, take, &[P::Int(pair), P::Int(side)]).await?;
        tx.commit().await
    };
    let result = work.await;
    came(&tx, result)
}

/// All pairs at once. Every account has `balance` to begin with.
async fn withdrawals(balance: u32, retries: u32) -> (Vec<Came>, Vec<String>) {
    let db = with_tables(&[
        "CREATE TABLE accounts (pair int, side int, balance int, PRIMARY KEY (pair, side))",
        &format!("INSERT INTO accounts SELECT p, s, {balance} FROM generate_series(1, {PAIRS}) p, generate_series(1, 2) s"),
    ])
    .await;
    let mut all = Vec::new();
    for pair in 1..=PAIRS {
        let met = Barrier::new(2);
        let (a, b) =
            tokio::join!(withdraw(&db, pair, 1, &met, retries), withdraw(&db, pair, 2, &met, retries));
        all.extend([a, b]);
    }
    let sums = db.values("SELECT sum(balance) FROM accounts GROUP BY pair", &[]).await;
    (all, sums)
}

#[tokio::test]
async fn retries_turn_failures_into_successes() {
    // Enough for both: a replay finds the same.
    let (without, _) = withdrawals(1000, 0).await;
    let (with, sums) = withdrawals(1000, 5).await;
    let (without, with) = (rate("no retries", &without), rate("5 retries", &with));
    assert!(with > without, "{with} with retries, {without} without");
    let left: i64 = sums.iter().map(|sum| sum.parse::<i64>().unwrap()).sum();
    assert_eq!(left, PAIRS as i64 * 2000 - 100 * with as i64);
}

#[tokio::test]
async fn what_must_hold_holds_with_retries_too() {
    // Enough for one only: the replay of the other finds that, and fails.
    for retries in [0, 5] {
        let (all, sums) = withdrawals(50, retries).await;
        assert_eq!(rate(&format!("enough for one, {retries} retries"), &all), PAIRS as usize);
        assert!(sums.iter().all(|sum| sum == "0"), "{sums:?}");
    }
}

/// Rows locked in any order, by workers that wait for nobody.
#[tokio::test]
async fn transfers_under_deadlocks_lose_nothing() {
    const ACCOUNTS: u64 = 4;
    const EACH: u64 = 25;
    for retries in [0, 20] {
        let db = Arc::new(
            with_tables(&[
                "CREATE TABLE accounts (id int PRIMARY KEY, balance int)",
                "INSERT INTO accounts SELECT generate_series(0, 3), 1000",
                "CREATE TABLE ledger (id text PRIMARY KEY)",
            ])
            .await,
        );
        let workers = (0..8_u64).map(|worker| {
            let db = Arc::clone(&db);
            tokio::spawn(async move {
                let mut all = Vec::new();
                for turn in 0..EACH {
                    let from = (worker * 7 + turn * 13) % ACCOUNTS;
                    let to = (from + 1 + (worker + turn) % (ACCOUNTS - 1)) % ACCOUNTS;
                    all.push(transfer(&db, from, to, &format!("{worker}-{turn}"), retries).await);
                }
                all
            })
        });
        let all = futures::future::join_all(workers).await;
        let all: Vec<Came> = all.into_iter().flat_map(Result::unwrap).collect();
        let committed = rate(&format!("transfers, {retries} retries"), &all);
        assert_eq!(db.value("SELECT sum(balance) FROM accounts", &[]).await, "4000");
        assert_eq!(db.value("SELECT count(*) FROM ledger", &[]).await, committed.to_string());
    }
}

async fn transfer(db: &Db, from: u64, to: u64, id: &str, retries: u32) -> Came {
    let tx = db.begin_with(options(Isolation::ReadCommitted, retries)).await;
    let work = async {
        // Set where it is needed: the server looks for a deadlock only after a second by default.
        run(&tx, "SET LOCAL deadlock_timeout = '10ms'", &[]).await?;
        run(&tx, "INSERT INTO ledger VALUES ($1)", &[text(id)]).await?;
        for (account, amount) in [(from, -1), (to, 1)] {
            let add = "UPDATE accounts SET balance = balance + $2 WHERE id = $1";
            run(&tx, add, &[P::Int(account.into()), P::Int(amount)]).await?;
        }
        tx.commit().await
    };
    let result = work.await;
    came(&tx, result)
}

/// Counters that all read and write: no replay finds what it found, so nobody overwrites what another wrote.
#[tokio::test]
async fn counters_count_each_acknowledged_step_once() {
    let db = Arc::new(with_tables(&["CREATE TABLE counter (n int)", "INSERT INTO counter VALUES (0)"]).await);
    for isolation in [Isolation::RepeatableRead, Isolation::Serializable] {
        db.query("UPDATE counter SET n = 0", &[]).await.unwrap();
        let workers = (0..8).map(|_| {
            let db = Arc::clone(&db);
            tokio::spawn(async move {
                let mut all = Vec::new();
                for _ in 0..20 {
                    let tx = db.begin_with(options(isolation, 3)).await;
                    let work = async {
                        let read = run(&tx, "SELECT n FROM counter", &[]).await?;
                        let n: i128 = read.rows[0][0].to_string().parse().unwrap();
                        run(&tx, "UPDATE counter SET n = $1", &[P::Int(n + 1)]).await?;
                        tx.commit().await
                    };
                    let result = work.await;
                    all.push(came(&tx, result));
                }
                all
            })
        });
        let all = futures::future::join_all(workers).await;
        let all: Vec<Came> = all.into_iter().flat_map(Result::unwrap).collect();
        let committed = rate(&format!("counter, {isolation:?}"), &all);
        assert_eq!(db.value("SELECT n FROM counter", &[]).await, committed.to_string());
    }
}
