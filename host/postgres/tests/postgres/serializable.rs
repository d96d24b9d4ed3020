//! Whether transactions that were replayed are still serializable: the history that the acknowledged ones saw is checked
//! for a serial order, as the checker Elle does for lists that are only appended to (Kingsbury and Alvaro, "Elle: Inferring
//! Isolation Anomalies from Experimental Observations", 2020).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use fasterapi_postgres::{Isolation, PgError, PgErrorKind, PoolLimits, Transaction, TransactionOptions};

use crate::{
    blocks::Py,
    support::{Answer, Db, P, db_with, pack},
};

const KEYS: u64 = 5;
const WORKERS: u64 = 6;
const EACH: u64 = 40;

/// What a committed transaction saw, and where it appended its number.
struct Seen {
    id: i128,
    reads: Vec<(u64, Vec<i128>)>,
    appends: Vec<u64>,
    replays: u32,
}

/// The same numbers in each run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn list(value: &Py) -> Vec<i128> {
    let Py::List(items) = value else { panic!("{value:?}") };
    items.iter().map(|item| item.to_string().parse().unwrap()).collect()
}

async fn run(tx: &Transaction, sql: &str, params: &[P]) -> Result<Answer, PgError> {
    tx.query(sql, &pack(params)).await.map(|block| Answer::read(&block))
}

async fn attempt(db: &Db, id: i128, random: &mut Random) -> Option<Seen> {
    let options =
        TransactionOptions { isolation: Some(Isolation::Serializable), retries: 10, ..Default::default() };
    let tx = db.begin_with(options).await;
    let mut seen = Seen { id, reads: Vec::new(), appends: Vec::new(), replays: 0 };
    let work = async {
        run(&tx, "SET LOCAL deadlock_timeout = '5ms'", &[]).await?;
        for _ in 0..random.below(3) {
            let key = random.below(KEYS);
            let answer = run(&tx, "SELECT v FROM lists WHERE k = $1", &[P::Int(key.into())]).await?;
            seen.reads.push((key, list(&answer.rows[0][0])));
        }
        // In any order, so that they deadlock.
        let first = random.below(KEYS);
        for key in [first, (first + 1 + random.below(KEYS - 1)) % KEYS] {
            run(&tx, "UPDATE lists SET v = v || $2::int WHERE k = $1", &[P::Int(key.into()), P::Int(id)])
                .await?;
            seen.appends.push(key);
        }
        tx.commit().await
    };
    match work.await {
        Ok(()) => Some(Seen { replays: tx.replays(), ..seen }),
        Err(error) => {
            assert_eq!((error.kind, error.retryable), (PgErrorKind::Database, true), "{error:?}");
            None
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_has_a_serial_order() {
    let db = db_with(PoolLimits { max_size: 8.try_into().unwrap(), ..PoolLimits::default() }).await;
    db.query("CREATE TABLE lists (k int PRIMARY KEY, v int[] NOT NULL)", &[]).await.unwrap();
    db.query(
        "INSERT INTO lists SELECT k, '{}' FROM generate_series(0, $1) k",
        &[P::Int(i128::from(KEYS) - 1)],
    )
    .await
    .unwrap();
    let db = Arc::new(db);
    let workers = (0..WORKERS).map(|worker| {
        let db = Arc::clone(&db);
        tokio::spawn(async move {
            let mut random = Random(worker + 1);
            let mut committed = Vec::new();
            for turn in 0..EACH {
                committed.extend(attempt(&db, i128::from(worker * EACH + turn), &mut random).await);
            }
            committed
        })
    });
    let workers = futures::future::join_all(workers).await;
    let all: Vec<Seen> = workers.into_iter().flat_map(Result::unwrap).collect();
    let answer = db.query("SELECT k, v FROM lists", &[]).await.unwrap();
    let lists: BTreeMap<u64, Vec<i128>> =
        answer.rows.iter().map(|row| (row[0].to_string().parse().unwrap(), list(&row[1]))).collect();
    let replays: u32 = all.iter().map(|seen| seen.replays).sum();
    println!("{} of {} committed, {replays} replays", all.len(), WORKERS * EACH);
    assert!(all.len() >= EACH as usize, "too few to show anything");
    check_appends(&all, &lists);
    check_order(&edges(&all, &lists), all.len());
}

/// Each number stands once where its transaction was acknowledged to have put it, and nowhere else.
fn check_appends(all: &[Seen], lists: &BTreeMap<u64, Vec<i128>>) {
    let mut acknowledged: Vec<_> =
        all.iter().flat_map(|seen| seen.appends.iter().map(|key| (*key, seen.id))).collect();
    let mut there: Vec<_> = lists.iter().flat_map(|(key, list)| list.iter().map(|id| (*key, *id))).collect();
    acknowledged.sort_unstable();
    there.sort_unstable();
    assert_eq!(acknowledged, there);
}

/// Who must come before whom: appended before, appended what was seen, did not see what was appended.
fn edges(all: &[Seen], lists: &BTreeMap<u64, Vec<i128>>) -> BTreeSet<(i128, i128)> {
    let mut edges: BTreeSet<_> =
        lists.values().flat_map(|list| list.windows(2).map(|pair| (pair[0], pair[1]))).collect();
    for seen in all {
        for (key, read) in &seen.reads {
            let list = &lists[key];
            assert!(list.starts_with(read), "{} saw {read:?} of {list:?}", seen.id);
            edges.extend(read.last().map(|last| (*last, seen.id)));
            edges.extend(list.get(read.len()).map(|next| (seen.id, *next)));
        }
    }
    // A transaction may be the next to append to what it has read.
    edges.into_iter().filter(|(before, after)| before != after).collect()
}

/// Takes away those that nobody must precede, until none is left; else there is a cycle.
fn check_order(edges: &BTreeSet<(i128, i128)>, most: usize) {
    let mut edges = edges.clone();
    for _ in 0..=most {
        let behind: BTreeSet<_> = edges.iter().map(|(_, after)| *after).collect();
        edges.retain(|(before, _)| behind.contains(before));
        if edges.is_empty() {
            return;
        }
    }
    panic!("no serial order: {edges:?}");
}

#[test]
#[should_panic(expected = "no serial order")]
fn the_checker_finds_write_skew() {
    let seen = |id, read, append| Seen { id, reads: vec![(read, vec![])], appends: vec![append], replays: 0 };
    let all = [seen(1, 0, 1), seen(2, 1, 0)];
    let lists = BTreeMap::from([(0, vec![2]), (1, vec![1])]);
    check_appends(&all, &lists);
    check_order(&edges(&all, &lists), 2);
}
