//! `fasterapi-host new`: what it makes works as its README says.

use std::{fs, path::Path};

use fasterapi_tests::{guest::repository, process::run};

use super::{host, message};
use crate::examples::follow;

async fn new(folder: &Path, args: &[&str]) -> fasterapi_tests::process::Ended {
    let mut command = host(&[&["new"], args].concat());
    command.current_dir(folder);
    run(command).await
}

/// Makes a project, and does what its README says.
async fn works(template: &str) {
    let folder = tempfile::tempdir().unwrap();
    let made = new(folder.path(), &["demo", "--template", template]).await;
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
    let config = if template == "platform" { " --config demo/host.toml" } else { "" };
    assert!(made.stdout.ends_with(&format!("fasterapi-host dev -C demo{config}\n")), "{}", made.stdout);
    let project = folder.path().join("demo");
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let example = repository().join("examples").join(template);
    assert_eq!(read(&project.join("main.py")), read(&example.join("main.py")));
    let readme = read(&project.join("README.md"));
    assert!(readme.starts_with("# demo\n") && !readme.contains(&format!("{template}.wasm")), "{readme}");
    follow(&project).await;
}

#[tokio::test]
async fn a_project_of_hello_works() {
    works("hello").await;
}

#[tokio::test]
async fn a_project_of_items_works() {
    works("items").await;
}

#[tokio::test]
async fn a_project_of_websocket_works() {
    works("websocket").await;
}

#[tokio::test]
async fn a_project_of_platform_works() {
    works("platform").await;
}

#[tokio::test]
async fn what_is_there_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/main.py"), "mine").unwrap();
    fs::write(folder.path().join("file"), "mine").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    for name in ["full", "file", "link"] {
        let text = message(new(folder.path(), &[name]).await);
        assert_eq!(text, format!("error: {name} is there already and not an empty folder\n"));
    }
    assert_eq!(fs::read_to_string(folder.path().join("full/main.py")).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path().join("full")).unwrap().count(), 1);
    // An empty one is as good as none.
    fs::create_dir(folder.path().join("empty")).unwrap();
    assert_eq!(new(folder.path(), &["empty"]).await.code, Some(0));
    assert!(folder.path().join("empty/main.py").is_file());
}

#[tokio::test]
async fn names_and_templates_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(65);
    for name in ["", "9lives", "_x", "a/b", "../up", "/tmp/x", "a b", "caf\u{e9}", ".", "a\nb", &long] {
        let text = message(new(folder.path(), &[name]).await);
        assert!(
            text.starts_with("error: `") && text.contains("cannot be the name of a project\nhint: "),
            "{text}"
        );
    }
    let text = message(new(folder.path(), &["demo", "--template", "graphql"]).await);
    assert!(text.contains("'graphql'") && text.contains("hello, items, websocket, platform"), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
