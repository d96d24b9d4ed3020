//! `python main.py`, with `app.run()` at its end.

use std::{os::unix::fs::symlink, process::Command};

use fasterapi_tests::{
    Guest,
    guest::repository,
    http::get,
    process::{self, HostProcess, program, run},
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
async fn app_run_builds_and_serves() {
    let (folder, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(process::path(), programs.path().join("fasterapi-host")).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path =
        std::env::join_paths([programs.path().to_owned()].into_iter().chain(std::env::split_paths(&path)));
    let mut command = python(Guest::HELLO).await;
    // The port that the program names may be taken here: a variable is no match for a flag, so a copy says another.
    let source = std::fs::read_to_string(Guest::HELLO.dir().join("main.py")).unwrap();
    assert!(source.contains("app.run(port=8000)"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    std::fs::write(folder.path().join("main.py"), source.replace("8000", &free.to_string())).unwrap();
    std::fs::write(folder.path().join("requirements.txt"), "fasterapi\n").unwrap();
    command.current_dir(folder.path()).env("PATH", path.unwrap());
    let server = HostProcess::start(command).await;
    assert_eq!(server.addr.port(), free);
    assert_eq!(server.client().send(get("/")).await.expect(200).text(), r#"{"message":"Hello, FasterAPI!"}"#);
    assert!(server.stop().await.0.success());
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
