//! Paths, queries, headers, cookies.

use fasterapi_tests::{compare::compare, http::{ask, get}};

#[tokio::test]
async fn paths() {
    let targets = [
        "/params/int/5", "/params/int/-5", "/params/int/-6", "/params/int/1000", "/params/int/x", "/params/int/1.5",
    ];
    compare(targets.map(get)).await;
    let _ = ask;
}
