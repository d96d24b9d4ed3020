//! The keeper of a listening connection: makes it, has it listen where somebody does, and makes it again when it is
//! lost.

use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::Notify,
    time::{sleep, timeout},
};

use super::hub::Shared;
use crate::{PgError, backoff::Backoff, ident::quoted, pool::Place, session::Session};

/// How long the connection is kept when nobody listens.
const GRACE: Duration = Duration::from_secs(5);
/// How often the server is asked whether it is still there: a connection that was cut may say nothing.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// The wait before it is made again.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(10) };

/// Serves the listeners until there are none, or the database is closed.
pub(super) async fn keep(shared: Arc<Shared>) {
    if shared.closed.run_until_cancelled(serve(&shared)).await.is_none() {
        shared.refuse(&closing());
    }
}

pub(super) fn closing() -> PgError {
    PgError::connection("the database is being closed")
}

async fn serve(shared: &Arc<Shared>) {
    let mut failures = 0;
    loop {
        let held = match open(shared).await {
            Ok((session, _place)) => hold(shared, session, &mut failures).await,
            Err(error) => ControlFlow::Continue(error),
        };
        let ControlFlow::Continue(error) = held else { return };
        tracing::warn!(%error, reason = error.operator(), "no listening connection to postgres");
        shared.lost(&error);
        if shared.retire() {
            return;
        }
        BACKOFF.pause(failures).await;
        failures = failures.saturating_add(1);
    }
}

/// A connection, and its place under the caps of the pools.
async fn open(shared: &Shared) -> Result<(Session, Place), PgError> {
    let place = shared.pool.place_outside()?;
    Ok((Session::connect(shared.pool.config()).await?, place))
}

/// Listens over this session until it is lost, or nobody has listened for a while.
async fn hold(shared: &Arc<Shared>, mut session: Session, failures: &mut u32) -> ControlFlow<(), PgError> {
    let ended = Arc::new(Notify::new());
    let (ears, end) = (Arc::clone(shared), Arc::clone(&ended));
    session.on_heard(move |heard| match heard {
        Some(notification) => ears.deliver(&notification),
        None => end.notify_one(),
    });
    let mut channels = BTreeSet::new();
    loop {
        let wanted = shared.wanted();
        if let Err(error) = ask(shared, &mut session, &tuning(&channels, &wanted)).await {
            return ControlFlow::Continue(error);
        }
        *failures = 0;
        channels = wanted;
        shared.tuned(&channels);
        let idle = channels.is_empty();
        select! {
            () = shared.changed.notified() => {}
            () = ended.notified() => return ControlFlow::Continue(PgError::connection("it was lost")),
            () = sleep(if idle { GRACE } else { ASK_EVERY }) => {
                if idle && shared.retire() {
                    return ControlFlow::Break(());
                }
                if let Err(error) = ask(shared, &mut session, "SELECT").await {
                    return ControlFlow::Continue(error);
                }
            }
        }
    }
}

/// Runs a command unless it is empty.
async fn ask(shared: &Shared, session: &mut Session, sql: &str) -> Result<(), PgError> {
    if sql.is_empty() {
        return Ok(());
    }
    let patience = shared.pool.config().limits().connect_timeout;
    let late = |_| Err(PgError::connection(format!("no answer within {patience:?}")));
    timeout(patience, session.command(sql)).await.unwrap_or_else(late)
}

/// What changes the channels that the server listens on from `now` to `wanted`.
fn tuning(now: &BTreeSet<Arc<str>>, wanted: &BTreeSet<Arc<str>>) -> String {
    let all = |verb: &str, channels: &mut dyn Iterator<Item = &Arc<str>>| -> String {
        channels.filter_map(|channel| quoted(channel)).map(|name| format!("{verb} {name};")).collect()
    };
    all("UNLISTEN", &mut now.difference(wanted)) + &all("LISTEN", &mut wanted.difference(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_asked_for() {
        let set = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
        let (old, new) = (set(&["a", "b"]), set(&["b", "c\"; DROP TABLE t; --"]));
        assert_eq!(tuning(&old, &new), "UNLISTEN \"a\";LISTEN \"c\"\"; DROP TABLE t; --\";");
        assert_eq!(tuning(&new, &new), "");
    }
}
