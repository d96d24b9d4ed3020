//! COPY, driven by an app and by a request's body.

use fasterapi_tests::http::{Protocol, ask, post};
use serde_json::json;

use super::streams::Everything;

#[tokio::test]
async fn what_is_written_is_stored() {
    let app = Everything::start().await;
    let told = app.post("/copy-in?rows=20000").await;
    assert_eq!(told, json!({"rows": 20_000, "count": 20_000, "odd": "tab\t\\ line\n ü 1"}));
    let odd = app
        .sql("SELECT count(*) FROM copied WHERE b <> decode(lpad(to_hex(i % 256), 2, '0') || '00ff', 'hex')")
        .await;
    assert_eq!(odd, json!([["0"]]));
}

#[tokio::test]
async fn a_copy_that_fails_half_way_stores_nothing() {
    let app = Everything::start().await;
    assert_eq!(app.post("/copy-in?rows=20000&fail=true").await["count"], 0);
    let told = app.post("/copy-garbage").await;
    assert_eq!((&told["sqlstate"], &told["count"]), (&json!("22P02"), &json!(0)), "{told}");
    app.get("/leave-open?what=copy").await;
    app.nothing_runs("left_open FROM STDIN").await;
    assert_eq!(app.sql("SELECT count(*) FROM left_open").await, json!([["0"]]));
}

#[tokio::test]
async fn rows_are_written_in_every_format() {
    let told = Everything::start().await.post("/copy-formats").await;
    let rows = json!([
        [1, "quote \" comma , line\n", [1, null]],
        [2, null, []],
        [3, "", null],
        [4, "binary", null],
        [5, null, null]
    ]);
    assert_eq!(told["rows"], rows);
    assert_eq!(
        told["csv"],
        "i,t,a\n1,\"quote \"\" comma , line\n\",\"{1,NULL}\"\n2,,{}\n3,\"\",\n4,binary,\n5,,\n"
    );
}

fn csv(rows: u32) -> Vec<u8> {
    (0..rows).flat_map(|i| format!("{i},\"row {i}, with text\"\n").into_bytes()).collect()
}

#[tokio::test]
async fn an_uploaded_body_goes_into_the_table() {
    let app = Everything::start().await;
    let mut rows = 0;
    for (count, parts) in [(3, 1), (50_000, 1), (50_000, 7)] {
        let body = csv(count);
        let size = body.len().div_ceil(parts);
        let ask =
            post("/upload").header("content-type", "text/csv").parts(body.chunks(size).map(<[u8]>::to_vec));
        for protocol in [Protocol::H1, Protocol::H2] {
            let told = app.host.client().send_by(protocol, ask.clone()).await.expect(200);
            assert_eq!(told.json(), json!({"rows": count}));
            rows += count;
        }
    }
    assert_eq!(app.sql("SELECT count(*) FROM uploaded").await, json!([[rows.to_string()]]));
    let told = app.host.client().send(post("/upload").body("text/csv", "1,a\nx,b\n")).await;
    assert_eq!(told.expect(200).json()["sqlstate"], "22P02");
}

/// There a small body is whole before the app runs.
#[tokio::test]
async fn an_uploaded_body_goes_into_the_table_in_the_asgi_lane_too() {
    let app = Everything::with(|config| config.lane = fasterapi_host::LaneChoice::Asgi).await;
    for count in [0, 1, 3, 50_000] {
        let told = app.host.client().send(post("/upload").body("text/csv", csv(count))).await.expect(200);
        assert_eq!(told.json(), json!({"rows": count}));
    }
    let told = app.host.client().send(post("/upload").body("text/csv", "1,a\nx,b\n")).await;
    assert_eq!(told.expect(200).json()["sqlstate"], "22P02");
}

#[tokio::test]
async fn an_upload_that_breaks_off_stores_nothing() {
    let app = Everything::start().await;
    app.host.client().send(post("/upload").body("text/csv", "1,a\n")).await.expect(200);
    for protocol in [Protocol::H1, Protocol::H2] {
        let mut begun = app.host.client().begin(protocol, ask("POST", "/upload"), true).await;
        begun.write(csv(30_000)).await;
        let running =
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY uploaded%' AND state = 'active'";
        fasterapi_tests::eventually!(app.sql(running).await == json!([["1"]]));
        begun.leave();
        app.nothing_runs("COPY uploaded").await;
    }
    assert_eq!(app.sql("SELECT count(*) FROM uploaded").await, json!([["1"]]));
}
