//! What routes keep in memory: their authors are told, and `--isolation` lets them share it.

use fasterapi_tests::{
    http::{ask, get},
    process::HostProcess,
};

use super::{dev::project, host};

const APP: &str = r#"
from fastapi import FastAPI

app = FastAPI()
items = {}

@app.put("/items/{name}")
def put(name: str):
    items[name] = len(items)

@app.get("/items")
def list_items():
    return items
"#;

async fn dev(args: &[&str]) -> (HostProcess, tempfile::TempDir) {
    let folder = project(APP);
    let all = [&["dev", "-C", folder.path().to_str().unwrap(), "--addr", "127.0.0.1:0"], args].concat();
    (HostProcess::start(host(&all)).await, folder)
}

/// What another route finds of what was put.
async fn found(host: &HostProcess) -> String {
    for name in ["a", "b"] {
        host.client().send(ask("PUT", &format!("/items/{name}"))).await.expect(200);
    }
    host.client().send(get("/items")).await.expect(200).text()
}

#[tokio::test]
async fn routes_have_a_memory_each_and_the_author_is_told() {
    let (host, _folder) = dev(&[]).await;
    assert_eq!(found(&host).await, "{}");
    let note =
        "note: main.py:9: PUT /items/{name} keeps `items` in memory. Each route has a memory of its own";
    assert!(host.stderr().contains(note), "{}", host.stderr());
    assert!(host.stop().await.0.success());
}

#[tokio::test]
async fn one_instance_for_the_app_is_one_memory() {
    let (host, _folder) = dev(&["--isolation", "app", "--max-instances", "1"]).await;
    assert_eq!(found(&host).await, r#"{"a":0,"b":1}"#);
    // What the host would answer itself, it leaves to an app whose memory is shared.
    assert_eq!(host.client().send(get("/nowhere")).await.expect(404).text(), r#"{"detail":"Not Found"}"#);
    assert!(host.stop().await.0.success());
}
