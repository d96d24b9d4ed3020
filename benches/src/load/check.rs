//! Before speed: all servers must answer alike, to the byte; what comes out of a database, as JSON.

use std::io::Cursor;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Servers;
use super::http::{self, Head};
use super::scenario::{App, Scenario};

pub fn same_answers(servers: &Servers, scenarios: &[Scenario]) -> Result<()> {
    for scenario in scenarios {
        let mut expected = None;
        for server in servers {
            let name = server.kind.name();
            let (status, body) =
                ask(server.addr, scenario).with_context(|| format!("{name}: {}", scenario.name))?;
            ensure!(status == 200, "{name} answered {status} {body:?} to {}", scenario.name);
            let expected = expected.get_or_insert_with(|| body.clone());
            let alike =
                if scenario.app == App::Postgres { same_value(&body, expected) } else { body == *expected };
            ensure!(alike, "{name} answered {body:?}, others {expected:?}");
        }
    }
    Ok(())
}

/// Postgres writes the number 12.50 as it is stored, Python as 12.5.
fn same_value(one: &str, other: &str) -> bool {
    let value = |text| serde_json::from_str::<Value>(text);
    one == other || matches!((value(one), value(other)), (Ok(one), Ok(other)) if one == other)
}

/// The status and the body of the answer to one request.
fn ask(addr: SocketAddr, scenario: &Scenario) -> Result<(u16, String)> {
    let Scenario { method, path, body, headers, compared, .. } = scenario;
    let mut answer = Vec::new();
    let head = Head { method, path: compared.unwrap_or(path), headers };
    let status = http::exchange(addr, head, (Cursor::new(body), body.len() as u64), &mut answer)?;
    Ok((status, String::from_utf8(answer).context("the answer is not text")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_same_however_its_numbers_are_written() {
        assert!(same_value("x", "x") && same_value(r#"{"a": 12.50, "b":1}"#, r#"{"b":1,"a":12.5}"#));
        assert!(!same_value("x", "y") && !same_value("1", "2") && !same_value(r#"{"a":1}"#, "x"));
    }
}
