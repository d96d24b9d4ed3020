//! The files that an app brings along: it reads them as it would anywhere, and nothing else, and changes none.

use fasterapi_tests::{
    Guest, Host,
    http::{Protocol, get},
};
use serde_json::json;
use tokio::sync::OnceCell;

async fn host() -> &'static Host {
    static SHARED: OnceCell<Host> = OnceCell::const_new();
    SHARED.get_or_init(|| Host::start(Guest::FILES, |_| {})).await
}

async fn text(target: &str) -> String {
    host().await.client().send(get(target)).await.expect(200).text()
}

#[tokio::test]
async fn an_app_reads_what_it_brought() {
    assert_eq!(text("/page/Ada").await, "<p>Hello, Ada!</p>\n");
    assert_eq!(text("/lists").await, r#"["quiet","requirements.txt","static","templates"]"#);
    assert_eq!(text("/lists?folder=static/deep").await, r#"["index.html"]"#);
    let version = text("/versions/fastapi").await;
    assert!(version.starts_with("\"0."), "{version}");
    assert_eq!(host().await.client().send(get("/versions/django")).await.status, 404);
    assert_eq!(text("/late").await, "\"late 14 word\"", "a package's data do not hide its modules");
}

#[tokio::test]
async fn static_files_are_served_as_starlette_does() {
    let client = host().await.client();
    for protocol in [Protocol::H1, Protocol::H2] {
        let answer = client.send_by(protocol, get("/static/style.css")).await.expect(200);
        assert_eq!(answer.text(), "body { color: black }\n");
        assert_eq!(answer.header("content-type"), Some("text/css; charset=utf-8"));
        let etag = answer.header("etag").unwrap().to_owned();
        let again = get("/static/style.css").header("if-none-match", etag);
        assert_eq!(client.send_by(protocol, again).await.status, 304);
    }
    let whole = client.send(get("/static/numbers.csv")).await.expect(200).text();
    assert_eq!(whole, std::fs::read_to_string(Guest::FILES.dir().join("static/numbers.csv")).unwrap());
    let part = client.send(get("/static/numbers.csv").header("range", "bytes=4-9")).await.expect(206);
    assert_eq!(part.text(), "2\n3\n4\n");
    assert_eq!(client.send(get("/site/deep/")).await.expect(200).text(), "<h1>deep</h1>\n");
    for missing in ["/static/none.css", "/static/../main.py", "/static/%2e%2e/main.py", "/static/..%2f.env"] {
        assert_eq!(client.send(get(missing)).await.status, 404, "{missing}");
    }
    let download = client.send(get("/download")).await.expect(200);
    assert_eq!(
        download.header("content-disposition"),
        Some("attachment; filename*=utf-8''all%20numbers.csv")
    );
    assert_eq!(download.text(), whole);
}

#[tokio::test]
async fn nothing_else_of_the_machine_is_there() {
    for path in ["/etc/passwd", "/proc/self/environ", "/0/x", ".env", "/1/.env"] {
        assert_eq!(text(&format!("/reads?path={path}")).await, "\"ENOENT\"", "{path}");
    }
    for path in ["../../etc/passwd", "/1/../../etc/passwd", "static/../../../etc/passwd"] {
        assert_eq!(text(&format!("/reads?path={path}")).await, "\"EPERM\"", "{path}");
    }
    // Sources stay in the component's memory: at run time there are data.
    assert_eq!(text("/reads?path=main.py").await, "\"ENOENT\"");
}

#[tokio::test]
async fn nothing_can_be_changed() {
    for path in ["new.txt", "static/style.css", "/1/new.txt", "/2/new.txt", "/tmp/new.txt"] {
        let answer = text(&format!("/writes?path={path}")).await;
        assert!(answer.starts_with("\"E"), "{path}: {answer}");
    }
    let answers = host().await.client().send(get("/changes?path=static/style.css")).await.expect(200).json();
    let answers = answers.as_array().unwrap().clone();
    assert_eq!(answers.len(), 7);
    assert!(answers.iter().all(|answer| answer.as_str().unwrap().starts_with('E')), "{answers:?}");
    assert_eq!(
        text("/lists").await,
        json!(["quiet", "requirements.txt", "static", "templates"]).to_string().replace(' ', "")
    );
    assert_eq!(text("/reads?path=static/style.css").await, "\"body { color: black }\\n\"");
}
