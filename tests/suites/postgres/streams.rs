//! Results of any size, and many statements in one call.

use std::sync::Arc;

use fasterapi_tests::{
    Guest, Host, eventually,
    http::{Answer, get, post},
    postgres::{Postgres, choice},
};
use serde_json::{Value, json};

/// The guest that has everything, with a database of its own.
pub(super) struct Everything {
    pub(super) host: Host,
    pub(super) _postgres: Arc<Postgres>,
}

impl Everything {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(configure: impl FnOnce(&mut fasterapi_host::ServerConfig)) -> Self {
        let postgres = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
        let url = postgres.database().await;
        let host = Host::start(Guest::POSTGRES, |config| {
            config.database = Some(choice(url));
            configure(config);
        })
        .await;
        Self { host, _postgres: postgres }
    }

    pub(super) async fn answer(&self, target: &str) -> Answer {
        self.host.client().send(get(target)).await
    }

    pub(super) async fn get(&self, target: &str) -> Value {
        self.answer(target).await.expect(200).json()
    }

    pub(super) async fn post(&self, target: &str) -> Value {
        self.host.client().send(post(target)).await.expect(200).json()
    }

    pub(super) async fn sql(&self, statement: &str) -> Value {
        let ask = post("/sql").json(json!(statement).to_string());
        self.host.client().send(ask).await.expect(200).json()
    }

    /// Waits until the server runs nothing whose text holds `part`.
    pub(super) async fn nothing_runs(&self, part: &str) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '%{part}%' AND pid <> pg_backend_pid()"
        );
        eventually!(self.sql(&sql).await == json!([["0"]]));
    }
}

#[tokio::test]
async fn rows_are_streamed() {
    let app = Everything::start().await;
    assert_eq!(app.get("/stream?rows=100000").await, json!({"count": 100_000, "total": 5_000_050_000_u64}));
    assert_eq!(app.get("/stream?rows=0").await, json!({"count": 0, "total": 0}));
    assert_eq!(app.get("/async-stream?rows=1000").await, json!({"total": 500_500}));
}

#[tokio::test]
async fn a_stream_that_is_left_ends_on_the_server() {
    let app = Everything::start().await;
    assert_eq!(app.get("/stream?rows=100000000&stop=5").await["count"], 5);
    app.nothing_runs("generate_series").await;
    assert_eq!(app.get("/leave-open?what=stream").await, 1);
    app.nothing_runs("generate_series").await;
}

#[tokio::test]
async fn a_route_has_its_own_time() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "[databases.default]\nurl = \"none\"\nstatement-timeout = \"200ms\"\n\
                [databases.default.route-timeouts]\n\"GET /sleeps\" = \"30s\"\n\"GET /two-transactions\" = \"1ms\"\n";
    std::fs::write(file.path(), text).unwrap();
    let databases = fasterapi_host::HostConfig::read(file.path()).unwrap();
    let app = Everything::with(|config| config.databases = databases).await;
    assert_eq!(app.sql("SELECT pg_sleep(1)").await["error"], "PgTimeout");
    assert_eq!(app.get("/sleeps?seconds=0.5").await, "slept");
    // The app may take less time, not more.
    let short = app.get("/sleeps?seconds=5&timeout=0.1").await;
    assert_eq!(short, "the statement did not end within 100ms and was cancelled");
    app.answer("/two-transactions").await.expect(500);
}

#[tokio::test]
async fn a_large_result_of_exec_comes_in_parts() {
    let app = Everything::start().await;
    let rows = 50_000_u64;
    let expected =
        json!({"first": 1, "total": rows * (rows + 1) / 2, "left": 0, "length": rows, "affected": rows});
    assert_eq!(app.get(&format!("/exec-stream?rows={rows}")).await, expected);
    assert_eq!(
        app.get("/exec-stream?rows=2").await,
        json!({"first": 1, "total": 3, "left": 0, "length": 2, "affected": 2})
    );
}

#[tokio::test]
async fn a_stream_within_a_transaction_leaves_room_for_other_statements() {
    let told = Everything::start().await.get("/tx-stream").await;
    assert_eq!(told["sum"], 2 * (3..=300).step_by(3).sum::<i32>());
    assert!(told["refused"].as_str().unwrap().contains("changes nothing"), "{told}");
}

#[tokio::test]
async fn rows_become_what_is_asked_for() {
    let expected =
        json!(["Point(x=1, y=2)", "Pair(x=1, y=2)", "Model(x=1, y=2)", "{'x': 1, 'y': 2}", "(1, 2)"]);
    assert_eq!(Everything::start().await.get("/into").await, expected);
}

#[tokio::test]
async fn a_batch_happens_whole_or_not_at_all() {
    let app = Everything::start().await;
    let told = app.post("/batch").await;
    let many: Vec<u32> = (0..10).collect();
    assert_eq!(told, json!({"many": many, "affected": 10, "batch": [1, 12], "count": 12}));
    app.sql("DROP TABLE counted").await;
    let told = app.post("/batch?fail=true").await;
    assert_eq!((&told["batch"]["sqlstate"], &told["count"]), (&json!("23505"), &json!(10)), "{told}");
}

#[tokio::test]
async fn a_statement_has_its_own_time_limit() {
    let app = Everything::start().await;
    let told = app.get("/timeout?seconds=0.1").await;
    assert_eq!((&told["error"], &told["sqlstate"]), (&json!("PgTimeout"), &json!("57014")), "{told}");
    app.nothing_runs("pg_sleep").await;
}
