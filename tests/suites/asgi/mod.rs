//! The same app under uvicorn and here, in both lanes: every answer must be the same.
//!
//! The requests are in `cases/`, a file a topic.

use std::{collections::BTreeSet, fs, path::PathBuf};

use fasterapi_tests::{Host, cases, compare::compare};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/suites/asgi/cases"))
}

async fn run(topic: &str) {
    let text = fs::read_to_string(folder().join(format!("{topic}.txt"))).unwrap();
    let asks = cases::parse(&text);
    compare(Host::conformance().await, &asks).await;
    compare(Host::conformance_in_asgi_lane().await, &asks).await;
}

macro_rules! topics {
    ($($name:ident),* $(,)?) => {
        $(#[tokio::test] async fn $name() { run(stringify!($name)).await; })*

        #[test]
        fn every_topic_is_run() {
            let here: BTreeSet<_> = [$(format!("{}.txt", stringify!($name))),*].into();
            let there = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            assert_eq!(here, there.collect());
        }
    };
}

topics!(
    params,
    proxies,
    paths,
    bodies,
    forms,
    responses,
    errors,
    routing,
    streams,
    concurrency,
    security,
    subapps,
    bare
);

mod absurd;
mod background;
mod broken;
mod dependencies;
mod disconnect;
mod gzip;
mod large;
mod streaming;
