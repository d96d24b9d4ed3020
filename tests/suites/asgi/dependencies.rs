//! Dependencies with `yield`: they open, see exceptions and close in the same order as under uvicorn.

use fasterapi_tests::{Host, eventually, http::get, logs, uvicorn::Uvicorn};

/// What the app printed with `token` in it, in order.
fn printed(output: &str, token: &str) -> Vec<String> {
    let lines = output.lines().filter_map(|line| line.split_once(token));
    lines.map(|(_, rest)| rest.split(" app=").next().unwrap_or_default().trim().to_owned()).collect()
}

#[tokio::test]
async fn teardown_happens_in_the_same_order() {
    let (uvicorn, host) = (Uvicorn::shared().await, Host::conformance().await);
    for how in ["well", "badly", "worse"] {
        let token = logs::token("yield");
        let ask = get(&format!("/errors/dependencies?how={how}&token={token}"));
        let expected = uvicorn.client().send(ask.clone()).await;
        let found = host.client().send(ask).await;
        assert_eq!((found.status, found.text()), (expected.status, expected.text()));
        eventually!(printed(&uvicorn.output(), &token).iter().any(|line| line == "close"));
        let expected = printed(&uvicorn.output(), &token);
        let found = || {
            let lines = logs::with(&token).into_iter().filter(|record| record.target == "app");
            printed(&lines.map(|record| record.text).collect::<Vec<_>>().join("\n"), &token)
        };
        eventually!(found() == expected, "{how}: {:?} is not {expected:?}", found());
    }
}
