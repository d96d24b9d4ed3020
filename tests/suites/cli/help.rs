//! The help of every command, as its readers see it.

use fasterapi_tests::process::run;

use super::host;

async fn help(command: &[&str]) -> String {
    let mut command = host(&[command, &["--help"]].concat());
    let ended = run({
        command.env("COLUMNS", "100");
        command
    });
    let ended = ended.await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout
}

#[tokio::test]
async fn every_command_explains_itself() {
    for (name, command) in [
        ("fasterapi-host", &[][..]),
        ("new", &["new"]),
        ("dev", &["dev"]),
        ("build", &["build"]),
        ("serve", &["serve"]),
        ("routes", &["routes"]),
        ("pg", &["pg"]),
        ("pg url", &["pg", "url"]),
        ("pg psql", &["pg", "psql"]),
        ("pg status", &["pg", "status"]),
    ] {
        insta::assert_snapshot!(name, help(command).await);
    }
}

#[tokio::test]
async fn without_a_command_it_explains_itself_and_fails() {
    let ended = run(host(&[])).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("Usage: fasterapi-host <COMMAND>"), "{}", ended.stderr);
    assert!(run(host(&["--version"])).await.stdout.starts_with("fasterapi-host "));
}
