//! Bad input: one clear line, exit code 2, nothing left running.

use std::{fs, net::TcpListener, path::Path};

use fasterapi_tests::Guest;
use tempfile::TempDir;

use super::{component, refused};

const CORE_MODULE: &str = "(module (func (export \"f\")))";
const UNKNOWN_IMPORT: &str =
    "(component (import \"acme:rockets/launch@1.0.0\" (instance (export \"go\" (func)))))";
const EMPTY: &str = "(component)";

/// A folder with one file.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

async fn serve_refused(bytes: impl AsRef<[u8]>) -> String {
    let (_folder, path) = file("app.wasm", bytes);
    let text = refused(&["serve", &path, "--addr", "127.0.0.1:0"]).await;
    let line = text.trim_end().rsplit('\n').next().unwrap().to_owned();
    assert!(text.lines().filter(|line| line.starts_with("error: ")).count() == 1, "{text}");
    line.replace(&path, "app.wasm")
}

#[tokio::test]
async fn what_is_no_component() {
    for text in ["", "hello", "\0as", "\0asm", "\0asm\x01"] {
        assert_eq!(serve_refused(text).await, "error: app.wasm: not a webassembly component", "{text:?}");
    }
    let core = wat::parse_str(CORE_MODULE).unwrap();
    assert_eq!(serve_refused(core).await, "error: app.wasm: a core webassembly module, not a component");
}

#[tokio::test]
async fn what_imports_or_exports_the_wrong_things() {
    let component = wat::parse_str(UNKNOWN_IMPORT).unwrap();
    let expected = "error: app.wasm: the component imports `acme:rockets/launch@1.0.0`, which this host does not provide";
    assert_eq!(serve_refused(component).await, expected);
    let line = serve_refused(wat::parse_str(EMPTY).unwrap()).await;
    assert!(line.starts_with("error: app.wasm: the component does not export what the host calls"), "{line}");
}

#[tokio::test]
async fn what_is_corrupt_or_cut() {
    let whole = fs::read(component(Guest::HELLO).await).unwrap();
    for length in [9, whole.len() / 2, whole.len() - 1] {
        let line = serve_refused(&whole[..length]).await;
        assert!(line.starts_with("error: app.wasm: the component is cut off or corrupt at byte "), "{line}");
    }
    // Whole sections with nonsense in them: only a validator sees that.
    let mut corrupt = whole;
    corrupt[16..4096].fill(0xff);
    let line = serve_refused(corrupt).await;
    assert!(line.starts_with("error: app.wasm: the component is ") && line.contains("corrupt"), "{line}");
}

#[tokio::test]
async fn a_file_that_is_not_there() {
    for command in ["serve", "routes"] {
        let text = refused(&[command, "/nowhere/app.wasm"]).await;
        assert_eq!(text, "error: cannot read /nowhere/app.wasm: No such file or directory (os error 2)\n");
    }
    let text = refused(&["serve", "/"]).await;
    assert_eq!(text, "error: cannot read /: Is a directory (os error 21)\n");
}

#[tokio::test]
async fn a_port_that_is_taken() {
    let component = component(Guest::HELLO).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let text = refused(&["serve", component.to_str().unwrap(), "--addr", &addr]).await;
    assert!(text.starts_with(&format!("error: cannot listen on {addr}: ")), "{text}");
    assert!(text.contains("in use"), "{text}");
}

#[tokio::test]
async fn a_postgres_that_cannot_be_reached() {
    let component = component(Guest::WITH_POSTGRES).await;
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://ada:sesame@{free}/mydb");
    let text = refused(&["serve", component.to_str().unwrap(), "--addr", "127.0.0.1:0", "--pg", &url]).await;
    let error = text.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(error.contains(&free.to_string()), "{text}");
    assert!(!text.contains("sesame"), "a password in the log: {text}");
}

#[tokio::test]
async fn arguments_that_make_no_sense() {
    let component = component(Guest::HELLO).await;
    let component = component.to_str().unwrap();
    for (args, part) in [
        (&["--pg", "mysql://u:sesame@h/d"][..], "it is none of `embedded`, a postgres:// URL, `none`"),
        (&["--addr", "localhost"], "it is none of IP:PORT, localhost:PORT, :PORT"),
        (&["--max-body", "lots"], "--max-body"),
        (&["--request-timeout", "5"], "5s"),
        (&["--max-instances", "0"], "it is not a number from 1"),
        (&["-e", "NAME"], "K=V"),
        (&["--log", "app=loud"], "log filter"),
        (&["--frobnicate"], "--frobnicate"),
    ] {
        let text = refused(&[&["serve", component], args].concat()).await;
        assert!(text.starts_with("error: ") && text.contains(part), "{args:?}: {text}");
    }
}

/// A project of these files.
fn project(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

async fn build_refused(folder: &Path, target: &str) -> String {
    let output = folder.join("app.wasm");
    let text =
        refused(&["build", target, "-C", folder.to_str().unwrap(), "-o", output.to_str().unwrap()]).await;
    assert!(!output.exists(), "a refused build leaves no component");
    let steps =
        |line: &&str| !line.starts_with("  ") || line.starts_with("  File") || line.starts_with("    ");
    text.lines().filter(steps).collect::<Vec<_>>().join("\n")
}

const APP: &str = "async def app(scope, receive, send): ...\n";

#[tokio::test]
async fn a_target_that_is_not_there() {
    let folder = project(&[("main.py", APP)]);
    let text = build_refused(folder.path(), "main").await;
    assert_eq!(
        text,
        "error: `main` is not of the form MODULE:ATTR\nhint: `main:app` is the name `app` in main.py, `main:create_app()` what that function gives"
    );
    let text = build_refused(folder.path(), "main:ap").await;
    assert_eq!(text, "error: module `main` has no attribute `ap`\nhint: did you mean `app`?");
    let text = build_refused(folder.path(), "mian:app").await;
    assert!(text.starts_with("error: ") && text.contains("`mian`"), "{text}");
    let text = build_refused(folder.path(), "main:__name__").await;
    assert!(text.starts_with("error: ") && text.contains("__name__"), "{text}");
}

#[tokio::test]
async fn a_syntax_error_shows_the_users_part_and_only_that() {
    let folder = project(&[("main.py", "import helper\n"), ("helper.py", "def broken(:\n    pass\n")]);
    let text = build_refused(folder.path(), "main:app").await;
    assert!(text.starts_with("Traceback (most recent call last):\n"), "{text}");
    for part in ["File \"main.py\", line 1", "File \"helper.py\", line 1", "SyntaxError", "def broken(:"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    for part in ["_entry", "importlib", "componentize", "/tmp", "frozen"] {
        assert!(!text.contains(part), "{part} is in\n{text}");
    }
    assert!(text.lines().last().unwrap().starts_with("error: "), "{text}");
}

#[tokio::test]
async fn a_package_with_native_code_is_refused_by_name() {
    let folder = project(&[("main.py", APP), ("requirements.txt", "numpy\n")]);
    let text = build_refused(folder.path(), "main:app").await;
    assert!(
        text.starts_with("error: `numpy` needs a native extension that has no WASI build\nhint: "),
        "{text}"
    );
}
