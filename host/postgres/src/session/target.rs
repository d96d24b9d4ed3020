//! Whether a server that let us in is one of those that will do (PostgreSQL documentation, `target_session_attrs`).

use std::{future::poll_fn, pin::pin, task::Poll};

use tokio_postgres::{Client, SimpleQueryMessage};

use super::login::{Driven, Failure, Opened};
use crate::config::Target;

/// Refuses a server that is not of the kind wanted.
pub(super) async fn check(target: Target, opened: &mut Opened) -> Result<(), Failure> {
    let Opened { client, connection, .. } = opened;
    let fits = match target {
        Target::Any | Target::PreferStandby => return Ok(()),
        Target::ReadWrite => !is_read_only(client, connection).await?,
        Target::ReadOnly => is_read_only(client, connection).await?,
        Target::Primary => !is_standby(client, connection).await?,
        Target::Standby => is_standby(client, connection).await?,
    };
    if fits { Ok(()) } else { Err(Failure::target(misfit(target))) }
}

fn misfit(target: Target) -> &'static str {
    match target {
        Target::ReadWrite => "the server takes no writes, as target_session_attrs=read-write demands",
        Target::ReadOnly => "the server takes writes, unlike target_session_attrs=read-only demands",
        Target::Primary => "the server is a standby, unlike target_session_attrs=primary demands",
        Target::Standby | Target::PreferStandby | Target::Any => {
            "the server is no standby, as target_session_attrs=standby or prefer-standby demands"
        }
    }
}

async fn is_read_only(client: &Client, connection: &mut Driven) -> Result<bool, Failure> {
    let (read_only, standby) =
        (reported(connection, "default_transaction_read_only"), reported(connection, "in_hot_standby"));
    match (read_only, standby) {
        (Some(read_only), Some(standby)) => Ok(read_only || standby),
        _ => ask(client, connection, "SHOW transaction_read_only").await,
    }
}

async fn is_standby(client: &Client, connection: &mut Driven) -> Result<bool, Failure> {
    match reported(connection, "in_hot_standby") {
        Some(standby) => Ok(standby),
        None => ask(client, connection, "SELECT pg_catalog.pg_is_in_recovery()").await,
    }
}

/// What the server said at log-in; servers before version 14 and poolers do not.
fn reported(connection: &Driven, parameter: &str) -> Option<bool> {
    connection.parameter(parameter).map(|value| value == "on")
}

/// Asks on a connection that nobody runs yet.
async fn ask(client: &Client, connection: &mut Driven, sql: &str) -> Result<bool, Failure> {
    let mut query = pin!(client.simple_query(sql));
    let answer = poll_fn(|cx| {
        if let Poll::Ready(answer) = query.as_mut().poll(cx) {
            return Poll::Ready(answer);
        }
        while let Poll::Ready(Some(Ok(_))) = connection.poll_message(cx) {}
        query.as_mut().poll(cx)
    });
    let messages = answer.await.map_err(|error| Failure::refused(true, &error))?;
    Ok(messages.iter().any(|message| match message {
        SimpleQueryMessage::Row(row) => matches!(row.get(0), Some("on" | "t")),
        _ => false,
    }))
}
