//! `fasterapi-host dev`: changes go live, requests in flight finish, errors are shown.

use std::{fs, net::TcpListener, path::Path};

use fasterapi_tests::{
    Guest, eventually,
    http::{Connection, Protocol, get, post},
    process::{HostProcess, run},
};
use tempfile::TempDir;

use super::{component, host, refused};

const APP: &str = r#"
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
def version():
    return "one"

@app.get("/raises")
def raises():
    return {}["<missing>"]

async def echo(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ready\n", "more_body": True})
    more = True
    while more:
        part = await receive()
        more = part.get("more_body", False)
        await send({"type": "http.response.body", "body": part.get("body", b"").upper(), "more_body": more})

app.mount("/echo", echo)
"#;

pub(super) fn project(main: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("main.py"), main).unwrap();
    fs::write(folder.path().join("requirements.txt"), "fastapi\n").unwrap();
    folder
}

async fn dev(folder: &Path) -> HostProcess {
    HostProcess::start(host(&["dev", "-C", folder.to_str().unwrap(), "--addr", "127.0.0.1:0"])).await
}

async fn answer(connection: &mut Connection) -> String {
    connection.send(get("/")).await.expect(200).text()
}

/// One story, since each of its steps is a build.
#[tokio::test]
async fn a_change_goes_live_under_open_connections_and_a_broken_one_is_shown() {
    let folder = project(APP);
    let main = folder.path().join("main.py");
    let host = dev(folder.path()).await;
    let docs = format!("docs on http://{}/docs", host.addr);
    eventually!(host.stdout().contains("(main:app, 7 routes)") && host.stdout().contains(&docs));
    let mut kept = host.client().connect(Protocol::H1).await;
    assert_eq!(answer(&mut kept).await, "\"one\"");
    let mut in_flight = host.client().open(Protocol::H1, post("/echo/"), true).await;
    assert_eq!(in_flight.text().await, "ready\n");

    fs::write(&main, APP.replace("one", "two")).unwrap();
    // The upload goes on all the while.
    eventually!({
        in_flight.write("more\n").await;
        assert_eq!(in_flight.text().await, "MORE\n");
        answer(&mut kept).await == "\"two\""
    });
    eventually!(host.stdout().contains("main.py changed\nlive in "));
    let line = host.stdout().lines().last().unwrap().to_owned();
    assert!(
        !line.contains("build") && !line.contains("compile"),
        "a change of the app builds nothing: {line}"
    );
    // What a request raises is shown to who made it.
    let raised = kept.send(get("/raises").header("accept", "text/html")).await.expect(500);
    assert!(raised.header("content-type").unwrap().starts_with("text/html"));
    let page = raised.text();
    assert!(page.contains("main.py") && page.contains("KeyError") && !page.contains("<missing>"), "{page}");
    let text = kept.send(get("/raises")).await.expect(500).text();
    assert!(text.starts_with("Traceback") && text.contains("return {}[\"<missing>\"]"), "{text}");
    in_flight.write("finish").await;
    assert_eq!(in_flight.text().await, "FINISH");
    in_flight.end();
    assert!(in_flight.next().await.unwrap().is_none());

    fs::write(
        &main,
        APP.replace("one", "three").replace("app = FastAPI()", "app = FastAPI(); fail = {}['<b>']"),
    )
    .unwrap();
    eventually!(host.stderr().contains("KeyError: '<b>'"));
    let browse = || get("/").header("accept", "text/html,application/xhtml+xml");
    eventually!(kept.send(browse()).await.status == 500);
    let page = kept.send(browse()).await.expect(500);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let text = page.text();
    assert!(
        text.contains("main.py") && text.contains("KeyError: '&lt;b&gt;'") && !text.contains("<b>"),
        "{text}"
    );
    // Whoever asks for no page gets the version before.
    assert_eq!(answer(&mut kept).await, "\"two\"");

    fs::write(&main, APP.replace("one", "four")).unwrap();
    eventually!(answer(&mut kept).await == "\"four\"");
    assert_eq!(kept.send(browse()).await.expect(200).text(), "\"four\"");

    let (status, said, log) = host.stop().await;
    assert!(status.success());
    assert!(!log.contains("panicked") && !log.contains("\u{1b}") && !said.contains("\u{1b}"), "{said}{log}");
}

#[tokio::test]
async fn an_app_that_is_broken_at_first_shows_why_until_it_is_mended() {
    let folder = project("import missing_module\n");
    let host = dev(folder.path()).await;
    assert!(host.stdout().contains("nothing to serve yet"), "{}", host.stdout());
    let plain = host.client().send(get("/")).await.expect(500);
    assert_eq!(plain.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(plain.text().contains("missing_module"), "{}", plain.text());
    // What no build looks at starts none; a new file in a new folder does.
    fs::create_dir_all(folder.path().join("__pycache__")).unwrap();
    fs::write(folder.path().join("__pycache__/main.pyc"), "").unwrap();
    fs::create_dir(folder.path().join("missing_module")).unwrap();
    fs::write(folder.path().join("missing_module/__init__.py"), APP).unwrap();
    fs::write(folder.path().join("main.py"), "from missing_module import app\n").unwrap();
    eventually!(host.client().send(get("/")).await.status == 200);
    assert!(!host.stdout().contains("__pycache__"), "{}", host.stdout());
    assert!(host.stop().await.0.success());
}

const WITH_DATABASE: &str = r#"
from fastapi import Depends
from fasterapi import App
from fasterapi.pg import Pg, PgPool

app = App()
pool = PgPool("default")

@app.post("/notes/{text}")
def write(text: str, pg: Pg = Depends(pool.get)):
    pg.exec("CREATE TABLE IF NOT EXISTS notes (text text UNIQUE)")
    pg.exec("INSERT INTO notes VALUES ($1)", text)

@app.get("/")
def read(pg: Pg = Depends(pool.get)):
    return ["one", *pg.exec("SELECT text FROM notes ORDER BY text").scalars()]
"#;

#[tokio::test]
async fn data_outlive_a_change_and_a_databases_errors_are_shown() {
    let data = tempfile::Builder::new().prefix("fpt-").tempdir_in("/tmp").unwrap();
    let folder = project(WITH_DATABASE);
    let main = folder.path().join("main.py");
    let mut command = host(&["dev", "-C", folder.path().to_str().unwrap(), "--addr", "127.0.0.1:0"]);
    command.env("FASTERAPI_PG_DATA", data.path());
    let host = HostProcess::start(command).await;
    let mut browser = host.client().connect(Protocol::H1).await;
    browser.send(post("/notes/written")).await.expect(200);
    assert_eq!(answer(&mut browser).await, r#"["one","written"]"#);
    let status = run(super::host(&["pg", "status"])).await.stdout;
    assert!(status.contains("main:app in ") && status.contains(&host.addr.to_string()), "{status}");

    fs::write(&main, WITH_DATABASE.replace("one", "two")).unwrap();
    eventually!(answer(&mut browser).await == r#"["two","written"]"#);
    let again = post("/notes/written").header("accept", "text/html");
    let page = browser.send(again).await.expect(500).text();
    assert!(page.contains("PgUniqueViolation") && page.contains("notes_text_key"), "{page}");
    assert!(page.contains("main.py") && page.contains("pg.exec(&quot;INSERT"), "{page}");

    fs::write(&main, WITH_DATABASE.replace("SELECT text", "SELECT words")).unwrap();
    let read = || get("/").header("accept", "text/html");
    eventually!(browser.send(read()).await.status == 500);
    let page = browser.send(read()).await.expect(500).text();
    assert!(page.contains("main.py") && page.contains("column &quot;words&quot; does not exist"), "{page}");

    fs::write(&main, WITH_DATABASE.replace("one", "three")).unwrap();
    // Until then, each answer is the error.
    eventually!(browser.send(get("/")).await.text() == r#"["three","written"]"#);
    let (status, _, log) = host.stop().await;
    assert!(status.success() && !log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn what_cannot_be_developed() {
    let folder = project(APP);
    let dir = folder.path().to_str().unwrap();
    assert!(refused(&["dev", "main.py:app", "-C", dir]).await.contains("MODULE:ATTR"));
    assert!(refused(&["dev", "-C", "/nowhere"]).await.starts_with("error: cannot read /nowhere: "));
    let text = refused(&["dev", "-C", component(Guest::HELLO).await.to_str().unwrap()]).await;
    assert!(text.contains("not a folder\nhint: "), "{text}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    assert!(refused(&["dev", "-C", dir, "--addr", &addr]).await.contains("in use"));
}
