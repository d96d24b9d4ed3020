//! `fasterapi-host routes`.

use fasterapi_tests::{Guest, process::run};
use serde_json::{Value, json};

use super::{component, host};

#[tokio::test]
async fn routes_are_a_table() {
    let component = component(Guest::ITEMS).await;
    let ended = run(host(&["routes", component.to_str().unwrap()])).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(ended.stdout, @r"
    GET,HEAD  /openapi.json          openapi              asgi      it is a `Route`, not a path operation of FastAPI's
    GET,HEAD  /docs                  swagger_ui_html      asgi      it is a `Route`, not a path operation of FastAPI's
    GET,HEAD  /docs/oauth2-redirect  swagger_ui_redirect  asgi      it is a `Route`, not a path operation of FastAPI's
    GET,HEAD  /redoc                 redoc_html           asgi      it is a `Route`, not a path operation of FastAPI's
    GET       /                      about                compiled
    POST      /items                 create_item          compiled
    GET       /items                 list_items           compiled
    GET       /items/{item_id}       get_item             compiled
    PUT       /items/{item_id}       change_item          compiled
    DELETE    /items/{item_id}       delete_item          compiled
    ");
}

#[tokio::test]
async fn routes_are_json_for_programs() {
    let component = component(Guest::STARLETTE).await;
    let ended = run(host(&["routes", component.to_str().unwrap(), "--format", "json"])).await;
    let routes: Value = serde_json::from_str(&ended.stdout).unwrap();
    let told: Vec<_> =
        routes.as_array().unwrap().iter().map(|route| json!([route["kind"], route["path"]])).collect();
    assert_eq!(json!(told), json!([["http", "/"], ["http", "/greet/{name}"], ["mount", "/stream"]]));
}
