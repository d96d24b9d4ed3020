//! Before speed: all servers must answer alike.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Servers;
use super::scenario::Scenario;

const DEADLINE: Duration = Duration::from_secs(30);

/// A status line's code and a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: String,
    pub body: String,
}

pub fn same_answers(servers: &Servers, scenarios: &[Scenario]) -> Result<()> {
    for scenario in scenarios {
        let mut expected = None;
        for server in servers {
            let name = server.kind.name();
            let answer = ask(server.addr, scenario).with_context(|| format!("{name}: {}", scenario.name))?;
            ensure!(answer.status == "200", "{name} answered {answer:?} to {}", scenario.name);
            let expected = expected.get_or_insert_with(|| answer.body.clone());
            ensure!(answer.body == *expected, "{name} answered {:?}, others {expected:?}", answer.body);
        }
    }
    Ok(())
}

/// One request over a connection of its own.
pub fn ask(addr: SocketAddr, scenario: &Scenario) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&addr, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let Scenario { method, path, body, headers, .. } = scenario;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n");
    stream.write_all(format!("{head}{headers}content-length: {length}\r\n\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split(' ').nth(1).context("no status")?;
    Ok(Answer { status: status.to_owned(), body: body.to_owned() })
}
