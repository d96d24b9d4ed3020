//! Apps that fail in every way: one request is lost at most, and the host says why in its log only.

use std::time::Duration;

use fasterapi_host::{LaneChoice, ServerConfig};
use fasterapi_tests::{
    Guest, Host, eventually,
    http::{Protocol, get, post},
    logs,
};

const PROTOCOLS: [Protocol; 2] = [Protocol::H1, Protocol::H2];
const LANES: [LaneChoice; 2] = [LaneChoice::Auto, LaneChoice::Asgi];

fn is_problem(answer: &fasterapi_tests::http::Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
}

#[tokio::test]
async fn a_traceback_is_in_the_log_and_never_in_the_answer() {
    let host = Host::conformance().await.client();
    for protocol in PROTOCOLS {
        let token = logs::token("raise");
        let answer = host.send_by(protocol, get(&format!("/errors/raise?token={token}"))).await.expect(500);
        assert_eq!(answer.text(), "Internal Server Error");
        let raised = format!("RuntimeError: unhandled {token}");
        eventually!(logs::have(&raised));
        // In one record with the user's file and line.
        assert!(logs::with(&raised).iter().any(|record| record.text.contains("errors.py\", line")));
    }
}

/// The instance that raised serves on: only a trap costs an instance.
#[tokio::test]
async fn an_exception_costs_no_instance() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.pool.max_instances = 1).await;
    for _ in 0..5 {
        host.client().send(get("/errors/raise")).await.expect(500);
    }
    eventually!(host.census() == (1, 1));
    let served = logs::with("lifespan").len();
    host.client().send(get("/errors/raise")).await.expect(500);
    assert_eq!(logs::with("lifespan").len(), served);
}

#[tokio::test]
async fn a_trap_is_a_500_and_the_next_request_works() {
    for lane in LANES {
        let host = Host::start(Guest::CONFORMANCE, |config| config.lane = lane).await;
        for (how, protocol) in ["abort", "exit"].into_iter().zip(PROTOCOLS.into_iter().cycle()) {
            let target = |how: &str| get(&format!("/faults/trap?how={how}"));
            host.client().send_by(protocol, target("")).await.expect(200);
            let answer = host.client().send_by(protocol, target(how)).await;
            is_problem(&answer, 500);
            let answer = host.client().send_by(protocol, target("")).await.expect(200);
            assert_eq!(answer.json()["served"], 1, "{how}: an instance that trapped must not serve again");
        }
    }
}

#[tokio::test]
async fn what_python_can_survive_costs_no_instance() {
    let host = Host::start(Guest::CONFORMANCE, |_| {}).await;
    for (number, how) in [(1, "recursion"), (2, "sys-exit"), (3, "json"), (4, "nested")] {
        let answer = host.client().send(get(&format!("/faults/trap?how={how}"))).await;
        assert_eq!(answer.status, 500, "{how}: {}", answer.text());
        let answer = host.client().send(get("/faults/trap")).await.expect(200);
        assert_eq!(answer.json()["served"], 2 * number, "{how}");
    }
}

#[tokio::test]
async fn a_loop_without_end_is_stopped_and_others_are_served_meanwhile() {
    for lane in LANES {
        let budget = |config: &mut ServerConfig| {
            config.lane = lane;
            config.instance.cpu = Duration::from_secs(3);
        };
        let host = Host::start(Guest::CONFORMANCE, budget).await;
        let spinning = host.client().begin(Protocol::H1, get("/faults/spin"), false).await;
        let mut served = 0;
        while !spinning.is_answered() {
            host.client().send(get("/responses/text")).await.expect(200);
            served += 1;
        }
        assert!(served > 3, "{served} requests were served while one computed for 3 s");
        is_problem(&spinning.answer().await, 504);
        eventually!(logs::have("used its CPU budget of 3s"));
        host.client().send(get("/faults/spin?how=not")).await.expect(200);
    }
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_a_504() {
    for (lane, protocol) in LANES.into_iter().zip(PROTOCOLS) {
        let hurried = |config: &mut ServerConfig| {
            config.lane = lane;
            config.instance.request = Duration::from_secs(1);
        };
        let host = Host::start(Guest::CONFORMANCE, hurried).await;
        is_problem(&host.client().send_by(protocol, get("/faults/sleep?seconds=3600")).await, 504);
        eventually!(logs::have("took longer than 1s to respond"));
        host.client().send(get("/faults/sleep?seconds=0")).await.expect(200);
    }
}

/// Waiting costs no CPU budget.
#[tokio::test]
async fn sleeping_is_not_computing() {
    let host =
        Host::start(Guest::CONFORMANCE, |config| config.instance.cpu = Duration::from_millis(500)).await;
    host.client().send(get("/faults/sleep?seconds=1.5")).await.expect(200);
}

#[tokio::test]
async fn memory_has_a_limit_that_an_app_can_handle() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.instance.memory = 96 << 20).await;
    let hog = |mebibytes: u32| get(&format!("/faults/hog?mebibytes={mebibytes}"));
    assert_eq!(host.client().send(hog(8)).await.expect(200).json()["length"], 8 << 20);
    assert_eq!(host.client().send(hog(200)).await.expect(200).json()["memory_error"], true);
    assert_eq!(host.client().send(hog(8)).await.expect(200).json()["length"], 8 << 20);
    let answer = host.client().send(get("/faults/hog-unhandled")).await;
    assert_eq!(answer.status, 500);
    assert_eq!(host.client().send(hog(8)).await.expect(200).json()["length"], 8 << 20);
}

#[tokio::test]
async fn small_objects_keep_what_is_in_them_and_give_back_their_memory() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.instance.memory = 96 << 20).await;
    let ask = |target: &str| {
        let request = get(target);
        let client = host.client();
        async move { client.send(request).await.expect(200).json() }
    };
    assert_eq!(ask("/faults/churn?rounds=20000").await["wrong"], 0);
    // What one size had is there for another: together they are more than there is.
    for size in [16, 240, 40, 120, 16, 1000, 40] {
        let answer = ask(&format!("/faults/hog-small?size={size}&mebibytes=12")).await;
        assert_eq!(
            (&answer["intact"], &answer["count"]),
            (&true.into(), &((12 << 20) / size).into()),
            "{size}"
        );
    }
    let beyond = ask("/faults/hog-small?size=64&mebibytes=200").await;
    assert!(beyond["memory_error"] == true && beyond["held"].as_u64() > Some(100_000), "{beyond}");
    assert_eq!(ask("/faults/churn?rounds=20000").await["wrong"], 0);
    assert_eq!(ask("/faults/hog-small?size=200&mebibytes=12").await["intact"], true);
}

#[tokio::test]
async fn an_instance_has_no_threads_no_files_and_no_sockets() {
    let host = Host::conformance().await;
    let ask = |target: String| async move { host.client().send(get(&target)).await.expect(200).json() };
    let thread = ask("/faults/thread".into()).await;
    assert!(thread["refused"].as_str().unwrap().starts_with("can't start new thread: "), "{thread}");
    let files = ask("/faults/files".into()).await;
    for (path, result) in files.as_object().unwrap() {
        assert!(result.as_str().is_some_and(|error| error.ends_with("Error")), "{path}: {result}");
    }
    let sockets = ask(format!("/faults/sockets?port={}", host.addr().port())).await;
    for (way, result) in sockets.as_object().unwrap() {
        let says_why = way == "beneath"
            || result.as_str().is_some_and(|error| error.contains("cannot open connections"));
        assert!(result != "connected" && says_why, "{way}: {result}");
    }
    assert_eq!(sockets.as_object().unwrap().len(), 6, "{sockets}");
}

#[tokio::test]
async fn an_app_sees_the_environment_it_is_given_and_nothing_else() {
    let host = Host::start(Guest::CONFORMANCE, |config| {
        config.environment = vec![("GREETING".into(), "hello=ü".into())]
    });
    let environment = host.await.client().send(get("/faults/environment")).await.expect(200).json();
    assert_eq!(environment["GREETING"], "hello=ü");
    for name in ["PATH", "HOME", "USER", "DATABASE_URL", "CARGO"] {
        assert!(environment.get(name).is_none(), "{environment}");
    }
}

#[tokio::test]
async fn what_an_app_prints_reaches_the_log_line_by_line() {
    let host = Host::conformance().await;
    let token = logs::token("log");
    host.client().send(get(&format!("/faults/log?lines=3&token={token}"))).await.expect(200);
    for number in 0..3 {
        eventually!(logs::have(&format!("{token} printed {number}")));
    }
    eventually!(logs::have(&format!("{token} on standard error")));
    eventually!(logs::have(&format!("{token} through logging")));
    let records = logs::with(&token);
    assert!(
        records.iter().all(|record| record.target == "app" && record.text.contains("route=GET /faults/log"))
    );
    assert!(!records.iter().any(|record| record.text.contains('\x1b')), "control characters are escaped");
    assert!(!logs::have(&format!("{token} forged\nINFO")), "an app writes one record a line");
}

#[tokio::test]
async fn malformed_http_is_400_and_never_reaches_an_app() {
    let host = Host::conformance().await.client();
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nbad header: x\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n\r\n",
    ] {
        let answer = host.raw(head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn headers_over_the_limit_are_431() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.edge.limits.header_bytes = 8192).await;
    for protocol in PROTOCOLS {
        let ask = |size: usize| get("/responses/text").header("x-large", vec![b'x'; size]);
        host.client().send_by(protocol, ask(6000)).await.expect(200);
        let answer = host.client().send_by(protocol, ask(10_000)).await;
        assert_eq!(answer.status, 431, "{protocol:?}");
    }
}

async fn refusal(adjust: impl FnOnce(&mut fasterapi_host::ServerConfig)) -> String {
    let failure = Host::try_start(Guest::CONFORMANCE, adjust).await.err().unwrap();
    assert_eq!(failure.code(), 2);
    failure.to_string()
}

#[tokio::test]
async fn a_start_up_that_fails_is_told_at_once() {
    let variable = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let text = refusal(|config| config.environment = variable("START_FAILS", "no such thing")).await;
    assert!(text.contains("RuntimeError: no such thing") && text.contains("main.py\", line"), "{text}");
    let text = refusal(|config| {
        config.environment = variable("START_DELAY", "3600");
        config.instance.startup = Duration::from_millis(500);
    });
    assert!(text.await.contains("start-up took longer than 500ms"));
    refusal(|config| config.instance.memory = 20 << 20).await;
}

#[tokio::test]
async fn thousands_of_requests_on_one_connection_and_one_instance() {
    let host = Host::start(Guest::CONFORMANCE, |config| config.pool.max_instances = 1).await;
    for protocol in PROTOCOLS {
        let mut connection = host.client().connect(protocol).await;
        for number in 0..2000 {
            let ask =
                post("/faults/work").json(format!(r#"{{"b": {number}, "a": "{}"}}"#, "x".repeat(number)));
            let answer = connection.send(ask).await.expect(200).json();
            assert_eq!(answer["keys"], serde_json::json!(["a", "b"]));
        }
    }
}
