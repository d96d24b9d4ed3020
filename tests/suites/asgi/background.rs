//! What goes on after the response.

use fasterapi_tests::{
    Host, eventually,
    http::{Protocol, get},
    logs,
};

#[tokio::test]
async fn background_tasks_run_after_the_response() {
    let host = Host::conformance().await;
    let token = logs::token("background");
    let answer = host
        .client()
        .send(get(&format!("/concurrency/background?token={token}&seconds=1")))
        .await
        .expect(200);
    assert_eq!(answer.json()["done"], false);
    assert!(!logs::have(&format!("{token} done")), "the response waited for its background task");
    eventually!(logs::have(&format!("{token} done in the background")));
    eventually!(logs::have(&format!("{token} and then the second task")));
}

#[tokio::test]
async fn a_connection_is_free_while_background_tasks_run() {
    let host = Host::conformance().await;
    let token = logs::token("background");
    let mut connection = host.client().connect(Protocol::H1).await;
    connection.send(get(&format!("/concurrency/background?token={token}&seconds=2"))).await.expect(200);
    connection.send(get("/responses/text")).await.expect(200);
    assert!(!logs::have(&format!("{token} done")));
    eventually!(logs::have(&format!("{token} done")));
}

#[tokio::test]
async fn the_instance_serves_on_after_its_background_tasks() {
    let host = Host::start(fasterapi_tests::Guest::CONFORMANCE, |config| {
        config.pool.max_instances = 1;
        config.pool.min_spares = 0;
    });
    let (host, token) = (host.await, logs::token("background"));
    let target = format!("/concurrency/background?token={token}");
    assert_eq!(host.client().send(get(&target)).await.expect(200).json()["done"], false);
    assert_eq!(host.client().send(get(&target)).await.expect(200).json()["done"], true);
}

#[tokio::test]
async fn a_background_task_that_fails_is_logged_and_harms_nobody() {
    let host = Host::conformance().await;
    let token = logs::token("background");
    let target = format!("/concurrency/background-fails?token={token}");
    host.client().send(get(&target)).await.expect(200);
    eventually!(logs::have(&format!("RuntimeError: {token} failed in the background")));
    host.client().send(get(&target)).await.expect(200);
}

#[tokio::test]
async fn a_task_that_outlives_its_request_is_finished() {
    let host = Host::conformance().await;
    let token = logs::token("left");
    host.client().send(get(&format!("/concurrency/left-behind?token={token}"))).await.expect(200);
    eventually!(logs::have(&format!("{token} left behind but done")));
}
