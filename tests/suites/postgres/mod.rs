//! Postgres as an app sees it: through `fasterapi.pg`, the sandbox's wall and the host's pools.

mod bodies;
mod concurrent;
mod copy;
mod streams;

use std::sync::Arc;

use fasterapi_tests::{
    Guest, Host, eventually,
    http::{Protocol, get, post},
    logs,
    postgres::{Postgres, choice},
};
use serde_json::{Value, json};

/// The conformance guest with a database of its own.
struct App {
    host: Host,
    postgres: Arc<Postgres>,
}

impl App {
    async fn start() -> Self {
        Self::on(tokio::task::spawn_blocking(Postgres::shared).await.unwrap()).await
    }

    async fn on(postgres: Arc<Postgres>) -> Self {
        let url = postgres.database().await;
        let host = Host::start(Guest::CONFORMANCE, |config| config.database = Some(choice(url))).await;
        Self { host, postgres }
    }

    async fn get(&self, target: &str) -> Value {
        self.host.client().send(get(target)).await.expect(200).json()
    }

    async fn post(&self, target: &str) -> Value {
        self.host.client().send(post(target)).await.expect(200).json()
    }

    /// Runs statements with their arguments; gives what the app tells of each.
    async fn run(&self, statements: &[(&str, Value)]) -> Vec<Value> {
        let statements: Vec<_> =
            statements.iter().map(|(sql, args)| json!({"sql": sql, "args": args})).collect();
        let ask = post("/pg/run").json(json!(statements).to_string());
        serde_json::from_value(self.host.client().send(ask).await.expect(200).json()).unwrap()
    }

    async fn one(&self, sql: &str, args: Value) -> Value {
        self.run(&[(sql, args)]).await.remove(0)
    }
}

#[tokio::test]
async fn every_type_comes_back_as_it_went() {
    let told = App::start().await.get("/pg/types").await;
    assert_eq!(told["wrong"], json!([]));
    let types = [
        "bool",
        "bytea",
        "date",
        "float4",
        "float8",
        "int2",
        "int4",
        "int8",
        "interval",
        "json",
        "jsonb",
        "numeric",
        "text",
        "time",
        "timestamp",
        "timestamptz",
        "uuid",
        "varchar",
    ];
    assert_eq!(told["types"], json!(types));
}

#[tokio::test]
async fn rows_are_taken_in_every_way() {
    let told = App::start().await.get("/pg/rows").await;
    let expected = json!({
        "by_name": "a", "by_index": 1, "by_attribute": 1.5, "keys": ["id", "name", "price"],
        "dict": {"id": 1, "name": "a", "price": 1.5},
        "all": [[1, "x1", 1], [2, "x2", 2], [3, "x3", 3]],
        "first": 1, "no_first": null, "scalar": 1, "no_scalar": null, "scalars": [1, 2, 3], "length": [3, 0],
        "affected": 3, "empty_columns": ["id"],
        "model": {"id": 5, "name": "m", "price": "2"}, "no_model": null,
        "models": [{"id": 1, "name": "x1", "price": "1"}, {"id": 2, "name": "x2", "price": "2"}, {"id": 3, "name": "x3", "price": "3"}],
        "errors": ["PgNoRows", "PgTooManyRows"],
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn errors_are_classes_with_the_servers_own_words() {
    let app = App::start().await;
    app.run(&[
        ("CREATE TABLE parent (id int PRIMARY KEY)", json!([])),
        (
            "CREATE TABLE child (id int NOT NULL REFERENCES parent, size int CHECK (size > 0), UNIQUE (id))",
            json!([]),
        ),
        ("INSERT INTO parent VALUES (1)", json!([])),
        ("INSERT INTO child VALUES (1, 1)", json!([])),
    ])
    .await;
    let cases = [
        ("SELEC 1", json!([]), "PgProgrammingError", Some("42601")),
        ("SELECT * FROM nowhere", json!([]), "PgProgrammingError", Some("42P01")),
        ("INSERT INTO child VALUES (2, 1)", json!([]), "PgForeignKeyViolation", Some("23503")),
        ("INSERT INTO child VALUES (1, 1)", json!([]), "PgUniqueViolation", Some("23505")),
        ("INSERT INTO child VALUES (1, 0)", json!([]), "PgCheckViolation", Some("23514")),
        ("INSERT INTO child VALUES (NULL, 1)", json!([]), "PgNotNullViolation", Some("23502")),
        ("SELECT 1 / 0", json!([]), "PgDataError", Some("22012")),
        ("SELECT $1::int", json!(["x"]), "PgDataError", Some("22P02")),
        ("SELECT $1::int", json!([1.5]), "PgUsageError", None),
        ("SELECT $1::int2", json!([40_000]), "PgUsageError", None),
        ("SELECT $1::int", json!([]), "PgUsageError", None),
        ("SELECT 1", json!([1]), "PgUsageError", None),
        ("SELECT 1; SELECT 2", json!([]), "PgProgrammingError", Some("42601")),
    ];
    for (sql, args, class, sqlstate) in cases {
        let told = app.one(sql, args).await;
        assert_eq!(told["error"][0], class, "{sql}: {told}");
        assert_eq!(told["fields"].get("sqlstate").and_then(Value::as_str), sqlstate, "{sql}: {told}");
        assert_eq!(told["error"].as_array().unwrap().last().unwrap(), "PgError");
    }
    let told = app.post("/pg/unique").await;
    let fields = &told["fields"];
    assert_eq!(
        (&fields["table"], &fields["constraint"]),
        (&json!("uniques"), &json!("uniques_pkey")),
        "{told}"
    );
    assert_eq!(fields["detail"], "Key (name)=(one) already exists.");
}

#[tokio::test]
async fn an_error_that_the_app_lets_through_is_a_500_with_its_words_in_the_log_only() {
    let app = App::start().await;
    let ask = post("/pg/unhandled").json(r#"{"sql": "SELECT no_such_column_here"}"#);
    assert_eq!(app.host.client().send(ask).await.expect(500).text(), "Internal Server Error");
    eventually!(logs::have("PgProgrammingError: column \"no_such_column_here\" does not exist"));
}

#[tokio::test]
async fn transactions_keep_and_drop_what_they_should() {
    let app = App::start().await;
    for (how, rows) in [
        ("commit", json!([1, 2])),
        ("exception", json!([])),
        ("rollback", json!([])),
        ("nested", json!([1, 3])),
        ("failed", json!([1, 4])),
        ("handle", json!([])),
    ] {
        assert_eq!(app.post(&format!("/pg/tx/{how}")).await, rows, "{how}");
    }
    assert_eq!(app.host.client().send(post("/pg/tx/http")).await.expect(409).json()["detail"], json!([]));
    eventually!(app.one(IN_TRANSACTION, json!([])).await["rows"] == json!([["0"]]));
}

const IN_TRANSACTION: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";

/// The SDK ends what the app leaves open, and the instance serves on.
#[tokio::test]
async fn a_transaction_that_nobody_ends_goes_with_its_request() {
    let app = App::start().await;
    let first = app.post("/pg/left/nothing").await;
    for how in ["entered", "nested", "generator", "task"] {
        for _ in 0..2 {
            assert_eq!(app.post(&format!("/pg/left/{how}")).await, first, "{how}");
            eventually!(app.one(IN_TRANSACTION, json!([])).await["rows"] == json!([["0"]]), "{how}");
        }
    }
}

/// A guest that goes round the SDK loses its instance, and the transaction with it.
#[tokio::test]
async fn a_transaction_that_a_guest_hides_goes_with_its_instance() {
    let app = App::start().await;
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(app.post("/pg/left/behind-the-sdk").await.as_str().unwrap().to_owned());
        eventually!(app.one(IN_TRANSACTION, json!([])).await["rows"] == json!([["0"]]));
    }
    names.dedup();
    assert_eq!(names.len(), 3, "{names:?}");
    eventually!(logs::have(
        "instance discarded: it kept a transaction, a stream or a listener open after its request"
    ));
}

#[tokio::test]
async fn a_transaction_may_end_in_a_background_task() {
    let app = App::start().await;
    app.post("/pg/background").await;
    let count = "SELECT count(*) FROM background";
    eventually!(app.one(count, json!([])).await["rows"] == json!([["1"]]));
}

#[tokio::test]
async fn transactions_that_cannot_be_serialised_may_be_run_again() {
    let told = App::start().await.post("/pg/write-skew").await;
    assert_eq!(told["error"], json!(["PgSerializationError", "PgError"]));
    assert_eq!((&told["fields"]["sqlstate"], &told["retryable"]), (&json!("40001"), &json!(true)));
}

#[tokio::test]
async fn transactions_have_the_isolation_they_ask_for() {
    let app = App::start().await;
    for level in ["read-committed", "repeatable-read", "serializable"] {
        let told = app.get(&format!("/pg/isolation/{level}")).await;
        assert_eq!(told, json!({"isolation": level.replace('-', " ")}));
    }
    let told = app.get("/pg/isolation/serializable?read_only=true").await;
    assert_eq!(told, json!({"isolation": "serializable", "error": "25006"}));
}

#[tokio::test]
async fn tasks_of_one_request_take_turns() {
    let doubled: Vec<_> = (0..10).map(|number| number * 2).collect();
    assert_eq!(App::start().await.get("/pg/side-by-side").await, json!(doubled));
}

#[tokio::test]
async fn a_url_names_the_grant_and_no_server() {
    let app = App::start().await;
    let name = app.one("SELECT current_database()", json!([])).await["rows"][0][0]
        .as_str()
        .unwrap()
        .replace('\'', "");
    for target in ["default".to_owned(), format!("postgres://nobody:secret@example.org:1/{name}")] {
        assert_eq!(app.get(&format!("/pg/pool?target={target}")).await, json!({"value": 1}));
    }
    for target in ["other", "postgres://localhost/other"] {
        let told = app.get(&format!("/pg/pool?target={target}")).await;
        assert_eq!(told["error"][0], "PgDenied");
        let message = told["message"].as_str().unwrap();
        assert!(
            message.contains("no grant") && message.contains("other") && message.contains("default"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn without_a_grant_every_call_is_denied() {
    let host = Host::conformance().await;
    let told = host.client().send(get("/pg/pool?target=default")).await.expect(200).json();
    assert_eq!(told["error"][0], "PgDenied", "{told}");
    assert!(told["message"].as_str().unwrap().starts_with("no grant for the database `default`"), "{told}");
}

#[tokio::test]
async fn a_statement_ends_when_its_client_leaves() {
    let app = App::start().await;
    let token = logs::token("pg-sleep");
    let target = format!("/pg/sleep?seconds=3600&token={token}");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep($1)%' AND state = 'active' AND pid <> pg_backend_pid()";
    let asleep = app.host.client().begin(Protocol::H1, get(&target), false).await;
    eventually!(app.one(running, json!([])).await["rows"] == json!([["1"]]));
    asleep.leave();
    eventually!(app.one(running, json!([])).await["rows"] == json!([["0"]]));
}

/// The guest's budget counts its own computing, not the database's.
#[tokio::test]
async fn waiting_for_the_database_is_not_computing() {
    let postgres = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    let url = postgres.database().await;
    let host = Host::start(Guest::CONFORMANCE, |config| {
        config.database = Some(choice(url));
        config.instance.cpu = std::time::Duration::from_millis(500);
    });
    let host = host.await;
    host.client().send(get("/pg/sleep?seconds=1.5&token=patience")).await.expect(200);
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back() {
    let app = App::on(Arc::new(tokio::task::spawn_blocking(Postgres::own).await.unwrap())).await;
    let works = async || app.one("SELECT 1", json!([])).await["rows"] == json!([["1"]]);
    assert!(works().await);
    let postgres = Arc::clone(&app.postgres);
    tokio::task::spawn_blocking(move || postgres.stop()).await.unwrap();
    let told = app.one("SELECT 1", json!([])).await;
    assert_eq!(
        (&told["error"][0], &told["retryable"]),
        (&json!("PgConnectionError"), &json!(true)),
        "{told}"
    );
    let postgres = Arc::clone(&app.postgres);
    tokio::task::spawn_blocking(move || postgres.restart()).await.unwrap();
    eventually!(works().await);
}

/// The seed's second program, as it stands there.
#[tokio::test]
async fn the_seeds_program_runs_as_written() {
    let seed = include_str!("../../guests/with-postgres/main.py");
    assert!(
        seed.contains(r#"PgPool("postgres://localhost/mydb")"#)
            && seed.contains("App(enable_h2=True, compression=True)")
    );
    let postgres = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    let url = postgres.database_named("mydb").await;
    // The program expects its table: the other guest makes it.
    let other = Host::start(Guest::CONFORMANCE, |config| config.database = Some(choice(url.clone()))).await;
    let sql = "CREATE TABLE items (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, price float8)";
    let statement = json!([{"sql": sql}]).to_string();
    let made = other.client().send(post("/pg/run").json(statement)).await.expect(200).json();
    assert_eq!(made[0]["affected"], 0, "{made}");
    let host = Host::start(Guest::WITH_POSTGRES, |config| config.database = Some(choice(url))).await;
    for (protocol, id) in [(Protocol::H1, 1), (Protocol::H2, 2)] {
        let item = post("/items").json(r#"{"id": 0, "name": "Widget", "price": 9.99}"#);
        assert_eq!(host.client().send_by(protocol, item).await.expect(200).json(), json!({"id": id}));
        let read = get(&format!("/items/{id}"));
        let read = host.client().send_by(protocol, read).await.expect(200).json();
        assert_eq!(read, json!({"id": id, "name": "Widget", "price": 9.99}));
        let wrong = post("/items").json(r#"{"id": 0, "price": "dear"}"#);
        assert_eq!(
            host.client().send_by(protocol, wrong).await.expect(422).json()["detail"][0]["loc"],
            json!(["body", "name"])
        );
        host.client().send_by(protocol, get("/items/99")).await.expect(500);
    }
    eventually!(logs::have("PgNoRows"));
}

#[tokio::test]
async fn what_postgres_says_is_logged_with_the_request_and_whose_doing_a_failure_is() {
    let app = App::start().await;
    let (before, after) = (logs::token("before"), logs::token("after"));
    let say = |what: &str| format!("DO $$ BEGIN RAISE NOTICE '{what}'; END $$");
    let none = || json!([]);
    app.run(&[(&say(&before), none()), ("SELECT 1/0", none()), (&say(&after), none())]).await;
    eventually!(logs::have(&after));
    let spans = |token: &str| logs::with(token).first().unwrap().spans.clone();
    let of_request = spans(&before);
    assert!(of_request.starts_with("request route=\"POST /pg/run\" request="), "{of_request}");
    assert!(!of_request.contains("blame"), "{of_request}");
    let blamed = spans(&after);
    assert_eq!(blamed, of_request.replace(';', " blame=guest sqlstate=\"22012\";"));
}
