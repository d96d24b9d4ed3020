//! Bodies that the host makes of rows and of COPY.

use fasterapi_tests::http::{Protocol, get};
use serde_json::{Value, json};

use super::streams::Everything;

#[tokio::test]
async fn a_copy_is_the_body() {
    let app = Everything::start().await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let answer = app.host.client().send_by(protocol, get("/copy.csv?rows=50000")).await.expect(200);
        assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
        assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"rows.csv\""));
        assert_eq!(answer.header(":body"), None);
        let text = answer.text();
        assert_eq!(text.lines().count(), 50_000);
        assert!(text.ends_with(&format!("50000,{}\n", "y".repeat(100))));
    }
}

#[tokio::test]
async fn rows_are_the_body() {
    let app = Everything::start().await;
    let answer = app.answer("/query?rows=3").await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let expected = json!([
        {"i": 1, "name": "n1", "half": 0.5},
        {"i": 2, "name": "n2", "half": 1.0},
        {"i": 3, "name": "n3", "half": 1.5}
    ]);
    assert_eq!(answer.json(), expected);
    assert_eq!(app.get("/query?rows=0").await, json!([]));
    let answer = app.answer("/query?rows=2&format=ndjson").await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, expected.as_array().unwrap()[..2]);
    let answer = app.answer("/query?rows=1&format=csv").await.expect(200);
    assert_eq!(answer.text(), "i,name,half\n1,n1,0.50000000000000000000\n");
    assert_eq!(app.get("/query?rows=200000").await.as_array().unwrap().len(), 200_000);
    assert_eq!(app.get("/query-async").await, json!([{"one": 1}]));
}

#[tokio::test]
async fn an_error_at_the_start_is_the_apps() {
    let answer = Everything::start().await.answer("/query?rows=1&statement=SELEC").await;
    assert_eq!(answer.expect(500).text(), "Internal Server Error");
}

#[tokio::test]
async fn an_error_in_the_middle_cuts_the_body_off() {
    let app = Everything::start().await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let mut exchange = app.host.client().open(protocol, get("/broken-query"), false).await;
        assert_eq!(exchange.status(), 200);
        let mut size = 0;
        let broken = loop {
            match exchange.next().await {
                Ok(Some(part)) => size += part.len(),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken && size < 3_100_000, "{protocol:?}: {size} bytes, broken off: {broken}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_query() {
    let app = Everything::start().await;
    for protocol in [Protocol::H1, Protocol::H2] {
        let mut exchange = app.host.client().open(protocol, get("/query?rows=100000000"), false).await;
        assert!(exchange.next().await.unwrap().is_some());
        drop(exchange);
        app.nothing_runs("generate_series").await;
    }
}

#[tokio::test]
async fn a_body_that_no_response_names_is_given_up() {
    let app = Everything::start().await;
    for _ in 0..5 {
        assert_eq!(app.get("/lost-query").await, "ok");
    }
    let told = app.get("/too-many-queries").await;
    assert_eq!((&told["error"], &told["count"]), (&json!("PgUsageError"), &json!(8)), "{told}");
    assert_eq!(app.get("/query?rows=1").await.as_array().unwrap().len(), 1);
}
