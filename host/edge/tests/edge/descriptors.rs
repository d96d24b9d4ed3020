//! Out of file descriptors. In a process of its own: the limit is the process's.

use std::process::Command;

use fasterapi_edge::EdgeConfig;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::*;

const CHILD: &str = "FASTERAPI_EDGE_TEST_CHILD";

#[test]
fn accepting_goes_on_after_the_process_ran_out_of_descriptors() {
    let name = "descriptors::child";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
#[ignore = "run by its parent, in a process of its own"]
async fn child() {
    assert!(std::env::var_os(CHILD).is_some());
    let server = serve(EdgeConfig::default(), echo);
    let mut before = Wire::connect(&server).await;
    assert_eq!(before.get("/").await.status, 200);
    // Made before the limit: the client's descriptors are ours as well.
    let mut waiting = Wire::connect(&server).await;
    assert_eq!(waiting.get("/").await.status, 200);
    let mut hoard = Vec::new();
    let limit = Rlimit { current: Some(64), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    // Exactly one for the client's end: none is left for the server's.
    hoard.pop();
    let mut starved = Wire::connect(&server).await;
    starved.send("GET /starved HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(before.get("/").await.status, 200, "connections at hand are served");
    assert!(tokio::time::timeout(SHORT, starved.answer()).await.is_err(), "served without a descriptor");
    drop(hoard);
    assert_eq!(starved.answer().await.text(), "GET /starved host=t\n");
}
