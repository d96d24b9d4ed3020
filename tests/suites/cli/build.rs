//! `fasterapi-host build`.

use std::fs;

use fasterapi_tests::{guest::repository, process::run};

use super::host;

#[tokio::test]
async fn a_build_says_what_it_made_and_a_second_one_is_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("made/here/hello.wasm");
    let build = || {
        let mut command =
            host(&["build", "main:app", "-C", "examples/hello", "-o", output.to_str().unwrap()]);
        command.current_dir(repository());
        command
    };
    for unchanged in ["", ", unchanged"] {
        let ended = run(build()).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let said = ended.stdout.trim_end();
        assert!(said.starts_with(output.to_str().unwrap()) && said.contains(" routes"), "{said}");
        assert!(said.ends_with(unchanged), "{said}");
        assert!(fs::read(&output).unwrap().starts_with(b"\0asm"));
    }
    assert!(
        fs::read_dir(repository().join("examples/hello"))
            .unwrap()
            .flatten()
            .all(|entry| entry.file_name() != "__pycache__")
    );
}
