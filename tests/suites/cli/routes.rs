//! `fasterapi-host routes`.

use fasterapi_tests::{Guest, process::run};
use serde_json::{Value, json};

use super::{component, host};

#[tokio::test]
async fn routes_are_json_for_programs() {
    let component = component(Guest::STARLETTE).await;
    let ended = run(host(&["routes", component.to_str().unwrap(), "--format", "json"])).await;
    let routes: Value = serde_json::from_str(&ended.stdout).unwrap();
    let told: Vec<_> =
        routes.as_array().unwrap().iter().map(|route| json!([route["kind"], route["path"]])).collect();
    assert_eq!(json!(told), json!([["http", "/"], ["http", "/greet/{name}"], ["mount", "/stream"]]));
}
