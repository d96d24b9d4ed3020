//! Making a session at the first server that will do.
//!
//! Servers are tried in their order, or a random one; of each, all its addresses, each with the connect timeout. A
//! server that cannot be reached or will not do is left for the next. One that refuses who asks ends it, as in libpq:
//! the others would too.

use std::sync::Arc;

use tokio::{runtime::Handle, time::timeout};
use tokio_postgres::AsyncMessage;

use super::{
    Endpoint, Session,
    endpoint::shuffle,
    inbox::Inbox,
    login::{Attempt, Driven, Failure, Opened, Stage},
};
use crate::{DatabaseConfig, PgError, config::Target, judge::Trace, statement::Statements};

impl Session {
    /// Connects to the first server that will do.
    ///
    /// # Errors
    /// `connection`; the operator is told what each server said.
    pub(crate) async fn connect(config: &DatabaseConfig) -> Result<Self, PgError> {
        let Opened { client, connection, seen, route } = open(config).await?;
        let limits = &config.limits;
        let settings = seen.settings();
        let holds_readers = holds_readers(connection.parameter("server_version"));
        let least = least_trace(connection.parameter("standard_conforming_strings"));
        let inbox = Arc::<Inbox>::default();
        Ok(Self {
            client: Arc::new(client),
            route,
            seen,
            statements: Statements::new(limits.statements),
            schema: Arc::default(),
            trace: least,
            least,
            settings,
            holds_readers,
            printing: None,
            working: false,
            unsure: false,
            cancel: None,
            driver: tokio::spawn(drive(connection, Arc::clone(&inbox))).abort_handle(),
            inbox,
            runtime: Handle::current(),
            max_result_bytes: limits.max_result_bytes,
        })
    }
}

/// Where a backslash in a plain string escapes what follows, the judgement of a statement by its words does not hold.
fn least_trace(standard_strings: Option<&str>) -> Trace {
    match standard_strings {
        Some("off") => Trace::Dirty,
        _ => Trace::None,
    }
}

/// Since version 16 a server refuses `RESET transaction_read_only`, which makes a transaction that reads one that writes.
fn holds_readers(version: Option<&str>) -> bool {
    let major = version.and_then(|version| version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    major.is_some_and(|major: u32| major >= 16)
}

/// A connection to the first server that will do. Dropping the future closes what it has opened.
async fn open(config: &DatabaseConfig) -> Result<Opened, PgError> {
    let access = &config.access;
    let mut endpoints: Vec<&Endpoint> = access.endpoints.iter().collect();
    if access.shuffle {
        shuffle(&mut endpoints);
    }
    let mut failures = Vec::new();
    for &target in rounds(access.target) {
        for endpoint in &endpoints {
            let failure = match open_at(config, endpoint, target).await {
                Ok(opened) => return Ok(opened),
                Err(failure) => failure,
            };
            let ends = failure.is_authentication();
            failures.push((endpoint.to_string(), failure));
            if ends {
                return Err(summary(failures));
            }
        }
    }
    Err(summary(failures))
}

fn rounds(target: Target) -> &'static [Target] {
    match target {
        Target::Any => &[Target::Any],
        Target::ReadWrite => &[Target::ReadWrite],
        Target::ReadOnly => &[Target::ReadOnly],
        Target::Primary => &[Target::Primary],
        Target::Standby => &[Target::Standby],
        Target::PreferStandby => &[Target::Standby, Target::Any],
    }
}

/// Tries all addresses of one server.
async fn open_at(config: &DatabaseConfig, endpoint: &Endpoint, target: Target) -> Result<Opened, Failure> {
    let limit = config.limits.connect_timeout;
    let late = |_| Failure::socket(format!("no answer within {limit:?}"));
    let found = timeout(limit, endpoint.addresses()).await.map_err(late)?;
    let mut addresses = found.map_err(|error| Failure::socket(error.to_string()))?;
    if config.access.shuffle {
        shuffle(&mut addresses);
    }
    let several = addresses.len() > 1;
    let mut texts = Vec::new();
    for address in addresses {
        let shown = address.to_string();
        let attempt = Attempt { config, endpoint, address, target };
        match timeout(limit, attempt.run()).await.unwrap_or_else(|error| Err(late(error))) {
            Err(failure) if several && matches!(failure.stage, Stage::Socket | Stage::Tls) => {
                texts.push(format!("{shown}: {}", failure.text));
            }
            other => return other,
        }
    }
    match texts.is_empty() {
        true => Err(Failure::socket("the name has no address")),
        false => Err(Failure::socket(texts.join(", "))),
    }
}

fn summary(failures: Vec<(String, Failure)>) -> PgError {
    let mut texts: Vec<String> = Vec::new();
    for (endpoint, failure) in &failures {
        let text = format!("{endpoint}: {}", failure.text);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let sqlstate = failures.iter().rev().find_map(|(_, failure)| failure.sqlstate.as_deref());
    PgError::no_session(texts.join("; "), sqlstate)
}

/// Runs the connection until it ends; the server's notices go to the log.
async fn drive(mut connection: Driven, inbox: Arc<Inbox>) {
    while let Some(message) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => inbox.note(&notice),
            Ok(AsyncMessage::Notification(notification)) => inbox.hear(Some(notification)),
            Ok(_) => {}
            Err(error) => {
                let error = PgError::from(error);
                tracing::debug!(%error, "postgres connection ended");
                break;
            }
        }
    }
    inbox.hear(None);
}

#[cfg(test)]
mod tests {
    use super::holds_readers;

    #[test]
    fn versions_are_told_apart() {
        for (version, holds) in
            [("15.13 (Debian 15.13-0)", false), ("16.1", true), ("18beta1", true), ("9.6.24", false)]
        {
            assert_eq!(holds_readers(Some(version)), holds, "{version}");
        }
        assert!(!holds_readers(None) && !holds_readers(Some("unknown")));
    }
}
