//! Memory stays where it is, over many requests on one instance.

use fasterapi_tests::{
    Guest,
    http::{Ask, Protocol, get, post},
    postgres::Postgres,
    process::HostProcess,
};

use super::{component, host};

const MIB: usize = 1 << 20;

/// What a process may grow by after its first rounds: the page sets of the allocators settle for a while.
const SETTLING: usize = 8 * MIB;

/// Sends `ask` again and again on one connection, to one instance; gives the process's growth after the first round.
async fn growth(guest: Guest, pg: &str, rounds: usize, ask: impl Fn(usize) -> Ask) -> usize {
    let component = component(guest).await;
    let serve = ["serve", component.to_str().unwrap(), "--addr", "127.0.0.1:0", "--pg", pg];
    let one = ["--max-instances", "1", "--min-spares", "0", "--max-instance-reuse-count", "1000000"];
    let server = HostProcess::start(host(&[&serve[..], &one].concat())).await;
    let mut connection = server.client().connect(Protocol::H1).await;
    for number in 0..rounds / 4 {
        connection.send(ask(number)).await.expect(200);
    }
    let before = server.private_memory();
    for number in 0..rounds {
        connection.send(ask(number)).await.expect(200);
    }
    server.private_memory().saturating_sub(before)
}

/// The same with a database.
async fn growth_with_postgres(guest: Guest, rounds: usize, ask: impl Fn(usize) -> Ask) -> usize {
    let postgres = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    let url = postgres.database().await;
    growth(guest, &url, rounds, ask).await
}

/// Bodies of 4 KiB each way: were one of them lost at each request, 80 MB would be.
#[tokio::test]
async fn twenty_thousand_requests_leave_nothing_behind() {
    let ask = |number: usize| {
        post("/faults/work").json(format!(r#"{{"number": {number}, "text": "{}"}}"#, "x".repeat(4096)))
    };
    let grown = growth(Guest::CONFORMANCE, "none", 20_000, ask).await;
    assert!(grown < SETTLING, "{grown} bytes more after 20,000 requests");
}

/// Bytes, streamed both ways.
#[tokio::test]
async fn streams_leave_nothing_behind() {
    let upload = |_| post("/streams/digest").body("", vec![0xff; 512 * 1024]);
    let grown = growth(Guest::CONFORMANCE, "none", 400, upload).await;
    assert!(grown < SETTLING, "{grown} bytes more after uploads of 200 MB");
    let grown = growth(Guest::CONFORMANCE, "none", 400, |_| get("/streams/big?parts=8")).await;
    assert!(grown < SETTLING, "{grown} bytes more after downloads of 200 MB");
}

/// 100,000 queries with 2 KB of parameters and 2 KB of results each, half of them bytes: were one of them lost at each,
/// 200 MB would be.
#[tokio::test]
async fn a_hundred_thousand_queries_leave_nothing_behind() {
    let grown = growth_with_postgres(Guest::CONFORMANCE, 800, |_| get("/pg/many?count=125")).await;
    assert!(grown < SETTLING, "{grown} bytes more after 100,000 queries");
}

/// 1 GB through the guest each way, in chunks of 64 KiB.
#[tokio::test]
async fn a_copy_of_a_gigabyte_leaves_nothing_behind() {
    let grown = growth_with_postgres(Guest::POSTGRES, 16, |_| post("/copy-much?mib=64")).await;
    assert!(grown < SETTLING, "{grown} bytes more after COPYs of 1 GB");
}
