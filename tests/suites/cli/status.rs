//! `fasterapi-host pg status`: what a running server says of its databases.

use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use fasterapi_tests::{
    Guest, eventually,
    http::post,
    postgres::Postgres,
    process::{HostProcess, run},
};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{component, host};

/// The conformance guest with a database of its own, whose server runs for as long as it is held.
async fn server() -> (HostProcess, Arc<Postgres>) {
    let postgres = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    let url = postgres.database().await;
    let component = component(Guest::CONFORMANCE).await;
    let component = component.to_str().unwrap();
    let serve = host(&["serve", component, "--addr", "127.0.0.1:0", "--pg", &url]);
    (HostProcess::start(serve).await, postgres)
}

async fn exec(server: &HostProcess, sql: &str, args: Value) -> Value {
    let ask = post("/pg/run").json(json!([{"sql": sql, "args": args}]).to_string());
    server.client().send(ask).await.expect(200).json()
}

async fn status(args: &[&str]) -> String {
    let ended = run(host(&[&["pg", "status"], args].concat())).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

/// What the server at `address` says, if there is one.
async fn report(address: &str) -> Option<Value> {
    let reports: Vec<Value> = serde_json::from_str(&status(&["--json"]).await).unwrap();
    reports.into_iter().find(|report| report["address"] == address)
}

#[tokio::test]
async fn a_server_tells_what_its_statements_cost() {
    let (server, _postgres) = server().await;
    let address = server.addr.to_string();
    for secret in ["sesame", "mellon"] {
        let told = exec(&server, "SELECT $1::text, 'a hidden value'", json!([secret])).await;
        assert!(told.to_string().contains("a hidden value"), "{told}");
    }
    exec(&server, "SELECT 1 / 0", json!([])).await;
    let told = report(&address).await.unwrap();
    let database = &told["databases"][0];
    assert_eq!((&database["tenant"], &database["database"]), (&json!("default"), &json!("default")));
    let of = |form: &str| {
        let statements = database["statements"].as_array().unwrap();
        let found =
            statements.iter().find(|each| each["statement"] == form && each["route"] == "POST /pg/run");
        found.unwrap_or_else(|| panic!("{statements:#?}")).clone()
    };
    let read = of("select ?::text, ?");
    assert_eq!((&read["micros"]["count"], &read["rows"], &read["failed"]), (&json!(2), &json!(2), &json!(0)));
    assert_eq!(of("select ? / ?")["failed"], 1);
    let text = status(&[]).await;
    assert!(
        text.contains(&format!("on {address} (pid ")) && text.contains("POST /pg/run: select ?::text, ?"),
        "{text}"
    );
    let all = format!("{text}{told}");
    assert!(!["sesame", "mellon", "hidden"].iter().any(|secret| all.contains(secret)), "{all}");
    server.stop().await;
    assert_eq!(report(&address).await, None);
}

#[tokio::test]
async fn a_server_that_was_killed_is_not_shown() {
    let (server, _postgres) = server().await;
    let address = server.addr.to_string();
    assert!(report(&address).await.is_some());
    server.signal(Signal::KILL);
    eventually!(report(&address).await.is_none());
}

#[tokio::test]
async fn no_other_user_may_ask() {
    let cache = tempfile::tempdir().unwrap();
    let mut command = host(&["pg", "status"]);
    command.env("FASTERAPI_CACHE_DIR", cache.path());
    let ended = run(command).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert_eq!(ended.stderr, "no server of this user runs\n");
    let mode = fs::metadata(cache.path().join("run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
