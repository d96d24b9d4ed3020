//! Which instance serves what, told by counters in the guests' own memory.

use std::{collections::HashSet, time::Duration};

use fasterapi_core::manifest::Isolation;
use fasterapi_tests::{
    Guest, Host,
    compare::compare_with,
    eventually,
    http::{Answer, Protocol, get},
    logs,
    uvicorn::Uvicorn,
};
use serde_json::Value;

async fn ask(host: &Host, target: &str) -> Value {
    host.client().send(get(target)).await.expect(200).json()
}

fn names(answers: &[Value]) -> HashSet<&str> {
    answers.iter().map(|answer| answer["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_instance_serves_only_its_route() {
    let host = Host::conformance().await;
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        one.push(ask(host, "/instance/one").await);
        two.push(ask(host, "/instance/two").await);
    }
    assert!(names(&one).is_disjoint(&names(&two)));
    assert!(one.last().unwrap()["served"].as_u64() > Some(1), "state is kept from request to request");
}

#[tokio::test]
async fn start_up_runs_once_per_instance_and_its_state_is_kept() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.pool.max_instances = 2).await;
    for number in 1..=20 {
        let answer = ask(&host, "/instance/one").await;
        assert_eq!((&answer["starts"], &answer["served"]), (&1.into(), &number.into()));
        assert_eq!(answer["lifespan_number"], number);
    }
}

#[tokio::test]
async fn with_a_reuse_of_one_every_request_sees_the_app_as_it_started() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.max_reuse = 1).await;
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(ask(&host, "/instance/one").await);
    }
    assert_eq!(names(&answers).len(), 10);
    assert!(answers.iter().all(|answer| answer["served"] == 1 && answer["starts"] == 1));
}

#[tokio::test]
async fn an_instance_is_replaced_after_its_reuse_count() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.max_reuse = 3).await;
    let mut served = Vec::new();
    for _ in 0..9 {
        served.push(ask(&host, "/instance/one").await["served"].as_u64().unwrap());
    }
    assert_eq!(served, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
}

#[tokio::test]
async fn shut_down_hooks_run_when_the_host_ends() {
    let host = Host::start(Guest::CONFORMANCE, |_| {}).await;
    let name = ask(&host, "/instance/one").await["name"].as_str().unwrap().to_owned();
    assert!(logs::have(&format!("instance {name} started")));
    host.stop().await;
    assert!(logs::have(&format!("instance {name} stopped")));
}

#[tokio::test]
async fn randomness_does_not_repeat_between_instances() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.max_reuse = 1).await;
    let mut seen = HashSet::new();
    for _ in 0..5 {
        let answer = ask(&host, "/instance/random").await;
        assert!(
            seen.insert(answer["random"].to_string()) && seen.insert(answer["uuid"].to_string()),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn concurrent_requests_get_instances_of_their_own() {
    let host = Host::start(Guest::CONFORMANCE, |_| {}).await;
    let client = host.client();
    let sleeps = (0..8).map(|_| client.send(get("/concurrency/sleep?seconds=4")));
    let answers = futures::future::join_all(sleeps).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let (live, free) = host.census();
    assert!(live >= 8, "{live} instances for 8 requests at once");
    eventually!(host.census().1 == host.census().0, "{free} of {live} are free");
}

#[tokio::test]
async fn idle_instances_are_discarded_in_time() {
    let host = Host::start(Guest::CONFORMANCE, |config| {
        config.pool.max_idle = Duration::from_millis(500);
        config.pool.min_spares = 0;
    });
    let host = host.await;
    let first = ask(&host, "/instance/one").await["name"].as_str().unwrap().to_owned();
    eventually!(logs::have(&format!("instance {first} stopped")));
    assert_ne!(ask(&host, "/instance/one").await["name"], first);
}

#[tokio::test]
async fn an_idle_instance_gives_way_to_another_route() {
    let host = Host::start(Guest::CONFORMANCE, |config| {
        config.pool.max_instances = 1;
        config.pool.min_spares = 0;
    });
    let host = host.await;
    for target in ["/instance/one", "/instance/two", "/instance/one"] {
        assert_eq!(ask(&host, target).await["served"], 1);
        eventually!(host.census() == (1, 1));
    }
}

/// One instance, busy; of three more requests one waits and two are refused at once; the one that waits is served.
#[tokio::test]
async fn a_full_queue_refuses_with_503_and_retry_after() {
    let host = Host::start(Guest::CONFORMANCE, |config| {
        config.pool.max_instances = 1;
        config.pool.min_spares = 0;
        config.pool.max_waiting = 1;
        config.pool.wait = Duration::from_secs(50);
    });
    let host = host.await;
    let token = logs::token("busy");
    let busy = host.client().begin(Protocol::H1, get(&format!("/streams/watch?token={token}")), false).await;
    eventually!(logs::have(&format!("{token} began")));
    let mut others = Vec::new();
    for protocol in [Protocol::H1, Protocol::H2, Protocol::H1] {
        others.push(host.client().begin(protocol, get("/responses/text"), false).await);
    }
    eventually!(others.iter().filter(|other| other.is_answered()).count() == 2);
    let (refused, mut waiting): (Vec<_>, Vec<_>) = others.into_iter().partition(|other| other.is_answered());
    for refused in refused {
        check_refusal(&refused.answer().await);
    }
    busy.leave();
    assert_eq!(waiting.pop().unwrap().answer().await.expect(200).text(), "plain ünïcode 🐍");
}

fn check_refusal(answer: &Answer) {
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["status"], 503);
}

#[tokio::test]
async fn nobody_waits_for_an_instance_for_ever() {
    let host = Host::start(Guest::CONFORMANCE, |config| {
        config.pool.max_instances = 1;
        config.pool.min_spares = 0;
        config.pool.wait = Duration::from_millis(200);
    });
    let host = host.await;
    let token = logs::token("busy");
    let busy = host.client().begin(Protocol::H1, get(&format!("/streams/watch?token={token}")), false).await;
    eventually!(logs::have(&format!("{token} began")));
    check_refusal(&host.client().send(get("/responses/text")).await);
    busy.leave();
    eventually!(host.client().send(get("/responses/text")).await.status == 200);
}

mod shared {
    //! `App(isolation="app")`: one pool for all routes.

    use super::*;

    #[tokio::test]
    async fn routes_share_their_memory_and_start_up_hooks_run_in_order() {
        let host = Host::start(Guest::SHARED_STATE, |config| config.pool.max_instances = 1).await;
        assert_eq!(ask(&host, "/events").await, serde_json::json!(["first", "second"]));
        for (number, name) in ["a", "b"].into_iter().enumerate() {
            let put = fasterapi_tests::http::ask("PUT", &format!("/notes/{name}?text=note"));
            assert_eq!(host.client().send(put).await.expect(200).json()["count"], number + 1);
        }
        assert_eq!(ask(&host, "/notes").await, serde_json::json!({"a": "note", "b": "note"}));
        host.stop().await;
        let told = logs::with("shut down with 2 notes");
        assert!(told.iter().any(|record| record.text.contains(" request=0")), "{told:?}");
    }

    /// Whatever the app says, and so that nobody need change it.
    #[tokio::test]
    async fn the_operator_may_keep_them_apart() {
        let host = Host::start(Guest::SHARED_STATE, |config| config.isolation = Some(Isolation::Route)).await;
        let put = fasterapi_tests::http::ask("PUT", "/notes/a?text=note");
        host.client().send(put).await.expect(200);
        assert_eq!(ask(&host, "/notes").await, serde_json::json!({}));
    }

    #[tokio::test]
    async fn a_def_endpoint_may_run_a_loop_of_its_own() {
        let host = Host::start(Guest::SHARED_STATE, |_| {}).await;
        assert_eq!(ask(&host, "/loop-in-a-loop").await, "ran");
    }

    /// `App(enable_h2=False, compression=True)`.
    #[tokio::test]
    async fn what_the_app_asks_of_the_server_is_done() {
        let host = Host::start(Guest::SHARED_STATE, |_| {}).await;
        let preface = host.client().raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        assert!(preface.starts_with("HTTP/1.1 505 "), "{preface}");
        let answer = host.client().send(get("/openapi.json").header("accept-encoding", "zstd, gzip")).await;
        assert_eq!(answer.header("content-encoding"), Some("zstd"));
        let answer =
            host.client().send(get("/events").header("accept-encoding", "zstd, gzip")).await.expect(200);
        assert_eq!(answer.header("content-encoding"), None, "small answers are not compressed");
    }
}

#[tokio::test]
async fn what_was_made_at_import_lasts_but_where_its_end_is_seen() {
    let host = Host::start(Guest::ENDS, |_| {}).await;
    let immortal = ask(&host, "/immortal").await;
    for name in ["text", "function", "class", "plain", "dict"] {
        assert_eq!(immortal[name], true, "{name}: {immortal}");
    }
    for name in ["finalized", "observed", "new"] {
        assert_eq!(immortal[name], false, "{name}: {immortal}");
    }
    let names = ["plain", "finalized", "inside", "generator", "observed", "value", "none"];
    let asks: Vec<_> = names.iter().map(|name| get(&format!("/drop?name={name}"))).collect();
    compare_with(&Uvicorn::start(Guest::ENDS).await, &host, &asks).await;
}
