//! What the server says beside its answers, in the log.

use tracing::{Instrument, info_span};

use crate::{
    logs::log,
    support::{db, db_with, eventually, one_session, pack},
};

fn raise(text: &str) -> String {
    format!("DO $$ BEGIN RAISE NOTICE '{text}'; PERFORM pg_sleep(0.01); RAISE WARNING '{text} again'; END $$")
}

#[tokio::test]
async fn notices_are_logged_in_the_callers_span() {
    let (lines, _guard) = log();
    let db = db().await;
    let (first, second) = (raise("of one"), raise("of two"));
    let one = db.query(&first, &[]).instrument(info_span!("one"));
    let two = async {
        let tx = db.begin().await;
        tx.query(&second, &pack(&[])).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(one, two.instrument(info_span!("two")));
    answer.unwrap();
    let mut seen = lines.of("postgres");
    seen.sort();
    assert_eq!(
        seen,
        [
            r#"INFO ["one"] message=postgres notice notice="of one" sqlstate="00000""#,
            r#"INFO ["two"] message=postgres notice notice="of two" sqlstate="00000""#,
            r#"WARN ["one"] message=postgres warning notice="of one again" sqlstate="01000""#,
            r#"WARN ["two"] message=postgres warning notice="of two again" sqlstate="01000""#,
        ]
    );
    // No session keeps a span from its end.
    for closed in ["closed one", "closed two"] {
        eventually(closed, || async { lines.has(closed) }).await;
    }
}

#[tokio::test]
async fn notices_of_streams_and_dropped_calls_have_their_span_too() {
    let (lines, _guard) = log();
    let db = db_with(one_session()).await;
    db.query(
        "CREATE FUNCTION say(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'row %', i; RETURN i; END $$",
        &[],
    )
    .await
    .unwrap();
    let stream = async {
        let mut stream =
            db.database().stream("SELECT say(i) FROM generate_series(1, 3) i", &pack(&[])).await.unwrap();
        while stream.next().await.unwrap().is_some() {}
    };
    stream.instrument(info_span!("stream")).await;
    let noticed = || lines.of("postgres").iter().filter(|line| line.starts_with("INFO [\"stream\"]")).count();
    assert_eq!(noticed(), 3);
    let dropped = db.query("SELECT say(4), pg_sleep(600)", &[]).instrument(info_span!("dropped"));
    tokio::select! {
        _ = dropped => panic!("it ended"),
        () = eventually("it has spoken", || async { lines.of("postgres").iter().any(|line| line.contains("row 4")) }) => {}
    }
    assert_eq!(db.value("SELECT say(5)", &[]).await, "5");
    let of = |row: &str| lines.of("postgres").into_iter().find(|line| line.contains(row)).unwrap();
    assert!(of("row 4").starts_with("INFO [\"dropped\"]") && of("row 5").starts_with("INFO []"));
}

#[tokio::test]
async fn notices_are_bounded_in_number_and_size() {
    let (lines, _guard) = log();
    let db = db_with(one_session()).await;
    let sql = "DO $$ BEGIN FOR i IN 1..1000 LOOP RAISE NOTICE '%', repeat('x', 100000); END LOOP; END $$";
    db.query(sql, &[]).await.unwrap();
    let seen = lines.of("postgres");
    assert!(seen.len() == 100 && seen[99].contains("more postgres notices"), "{}", seen.len());
    assert!(seen.iter().all(|line| line.len() < 1200));
    // The next call has its own.
    db.query(&raise("next"), &[]).await.unwrap();
    assert_eq!(lines.of("postgres").len(), 102);
}
