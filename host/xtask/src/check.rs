//! `cargo xtask up --check`: requests to the running example, and what the answers must be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::show;

const PATIENCE: Duration = Duration::from_secs(120);
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

struct Answer {
    status: u16,
    body: String,
}

/// Starts the server, checks it, stops it, and checks that it stopped as it should.
pub(crate) fn run(serve: &mut Command, addr: SocketAddr) -> Result<ExitCode> {
    ensure!(
        TcpStream::connect(addr).is_err(),
        "{addr} is in use\nhint: stop what listens there, or use --addr"
    );
    let mut server = serve.spawn().context("cannot start the server")?;
    let checked = wait_until_up(&mut server, addr).and_then(|()| check_items(addr));
    let stopped = stop(&mut server);
    checked.and(stopped)?;
    show::line("all answers are as expected");
    Ok(ExitCode::SUCCESS)
}

fn check_items(addr: SocketAddr) -> Result<()> {
    let http = |method: &str, path: &str, body: Option<&Value>| request(addr, method, path, body);
    let docs = expect(http("GET", "/openapi.json", None)?, 200, "GET /openapi.json")?;
    ensure!(
        docs.pointer("/paths").is_some_and(|paths| paths.get("/items").is_some()),
        "openapi.json has no /items"
    );
    // The database outlives the check: a name that no earlier run has left there.
    let name = format!("check {:?}", SystemTime::now().duration_since(UNIX_EPOCH)?);
    let item = json!({"name": name, "price": 12.5});
    let made = expect(http("POST", "/items", Some(&item))?, 201, "POST /items")?;
    let id =
        made.get("id").and_then(Value::as_i64).with_context(|| format!("POST /items gave no id: {made}"))?;
    let path = format!("/items/{id}");
    let read = expect(http("GET", &path, None)?, 200, "GET the new item")?;
    ensure!(read.get("name") == item.get("name"), "the item came back as {read}");
    expect(http("POST", "/items", Some(&item))?, 409, "POST the same name again")?;
    let wrong =
        expect(http("POST", "/items", Some(&json!({"name": "x", "price": "dear"})))?, 422, "a wrong price")?;
    ensure!(
        wrong.pointer("/detail/0/loc/1") == Some(&json!("price")),
        "the error does not name the field: {wrong}"
    );
    expect(http("GET", "/items/999999999", None)?, 404, "GET an item that is not there")?;
    expect(http("PATCH", "/items", None)?, 405, "PATCH /items")?;
    let gone = http("DELETE", &path, None)?;
    ensure!(gone.status == 204, "DELETE {path} answered {}", gone.status);
    expect(http("GET", &path, None)?, 404, "GET the deleted item").map(drop)
}

fn expect(answer: Answer, status: u16, what: &str) -> Result<Value> {
    ensure!(
        answer.status == status,
        "{what} answered {} instead of {status}: {}",
        answer.status,
        answer.body
    );
    show::line(&format!("    {status} {what}"));
    serde_json::from_str(&answer.body)
        .with_context(|| format!("{what}: the body is not JSON: {}", answer.body))
}

fn wait_until_up(server: &mut Child, addr: SocketAddr) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = server.try_wait()? {
            bail!("the server ended before it answered: {status}");
        }
        if request(addr, "GET", "/openapi.json", None).is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        pause();
    }
    bail!("nothing answered on {addr} within {PATIENCE:?}")
}

/// A polite end: SIGTERM drains, and the server then exits with success.
fn stop(server: &mut Child) -> Result<()> {
    let start = Instant::now();
    Command::new("kill").args(["-TERM", &server.id().to_string()]).status().context("cannot run kill")?;
    while start.elapsed() < PATIENCE {
        if let Some(status) = server.try_wait()? {
            ensure!(status.success(), "the server did not end well: {status}");
            return Ok(());
        }
        pause();
    }
    server.kill()?;
    bail!("the server did not end within {PATIENCE:?} of SIGTERM")
}

#[allow(clippy::disallowed_methods, reason = "no runtime here; between two looks at another process")]
fn pause() {
    std::thread::sleep(Duration::from_millis(100));
}

/// One HTTP/1.1 request on a connection of its own.
fn request(addr: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&addr, REQUEST_DEADLINE)?;
    stream.set_read_timeout(Some(REQUEST_DEADLINE))?;
    let body = body.map(ToString::to_string).unwrap_or_default();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n");
    let entity = format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(format!("{head}{entity}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer)).with_context(|| format!("{method} {path}: not an HTTP answer"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked");
    let body = if chunked { unchunk(body)? } else { body.to_owned() };
    Some(Answer { status, body })
}

/// RFC 9112 section 7.1.
fn unchunk(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_framings_are_read() {
        let plain = parse("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nhi").unwrap();
        assert_eq!((plain.status, plain.body.as_str()), (201, "hi"));
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).unwrap().body, "abcd");
        assert!(parse("SSH-2.0").is_none());
    }
}
