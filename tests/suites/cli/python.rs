//! `python main.py`, with `app.run()` at its end.

use std::process::Command;

use fasterapi_tests::{
    Guest,
    guest::repository,
    process::{program, run},
    uvicorn,
};

/// The app's program under an ordinary Python, with FastAPI and the SDK to import.
async fn python(guest: Guest) -> Command {
    let python = tokio::task::spawn_blocking(uvicorn::python).await.unwrap();
    let mut command = Command::new(python);
    let environment: Vec<_> =
        program().get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(["-B", "main.py"]).current_dir(guest.dir());
    command.env("PYTHONPATH", repository().join("guest-sdk/python"));
    command
}

#[tokio::test]
async fn app_run_without_the_host_says_so() {
    let mut command = python(Guest::HELLO).await;
    command.env("PATH", "/nowhere");
    let ended = run(command).await;
    assert_eq!(ended.code, Some(2));
    let line = "error: `fasterapi-host` was not found: put it on PATH or name it in FASTERAPI_HOST_BIN\n";
    assert_eq!(ended.stderr, line);
}
