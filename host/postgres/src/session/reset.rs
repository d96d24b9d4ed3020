//! Making a session as new.
//!
//! `DISCARD ALL` without `DEALLOCATE ALL`: the statements kept are the host's own, and stay. But it does not discard all:
//! the seed of `random()` is set anew, and a session that still has what no command takes away (a connection of dblink's
//! own) or what stands in the way of the host's statements (a prepared one of the guest's) is not used again.

use std::hash::{BuildHasher, RandomState};

use tokio_postgres::SimpleQueryMessage;

use super::{Session, Status, Working};
use crate::{PgError, judge::Trace};

const RESET: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL; UNLISTEN *; \
    SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD PLANS; DISCARD SEQUENCES; DISCARD TEMP";

/// What may be left: a prepared statement, or, where the extension is, connections of dblink, to be asked for by its
/// function.
const LEFT: &str = "SELECT 'prepared' AS left_behind FROM pg_catalog.pg_prepared_statements WHERE from_sql \
    UNION ALL SELECT pg_catalog.format('%I.dblink_get_connections()', n.nspname) \
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace \
    WHERE e.extname OPERATOR(pg_catalog.=) 'dblink'";

impl Session {
    /// Makes the session as new: waits for what runs (a cancel of it has been sent), rolls back, resets.
    ///
    /// # Errors
    /// When it cannot be; it is to be closed then.
    pub(crate) async fn mend(&mut self) -> Result<(), PgError> {
        if self.status().await? != Status::Idle {
            self.command("ROLLBACK").await?;
        }
        if self.trace == Trace::Dirty || self.has_drifted() {
            self.reset().await?;
            self.trace = self.least;
            self.settings = self.seen.settings();
        }
        match self.seen.status() {
            Status::Idle => Ok(()),
            _ => Err(PgError::connection("the session could not be brought to rest")),
        }
    }

    async fn reset(&mut self) -> Result<(), PgError> {
        let mut left = self.ask(&format!("{RESET}; SELECT pg_catalog.setseed({}); {LEFT}", seed())).await?;
        // Behind the answers to the functions of the reset itself.
        let left = left.split_off(left.len().min(2));
        for name in left.into_iter().flatten() {
            let remains = name == "prepared" || self.ask(&format!("SELECT {name}")).await? != [None];
            if remains {
                return Err(PgError::connection("the session has kept what cannot be taken from it"));
            }
        }
        Ok(())
    }

    /// The first column of all rows that commands of the host's own give.
    pub(super) async fn ask(&mut self, sql: &str) -> Result<Vec<Option<String>>, PgError> {
        let working = Working::begin(self).await;
        let answer = working.session.client.simple_query(sql).await.map_err(PgError::from);
        let messages = working.end(answer)?;
        let first = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
            _ => None,
        };
        Ok(messages.iter().filter_map(first).collect())
    }
}

/// From -1 to 1.
fn seed() -> f64 {
    let random = RandomState::new().hash_one(0) >> 11;
    random as f64 / (1_u64 << 52) as f64 - 1.0
}

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_differ_within_their_range() {
        let seeds: Vec<f64> = (0..1000).map(|_| super::seed()).collect();
        assert!(seeds.iter().all(|seed| (-1.0..=1.0).contains(seed)));
        assert!(seeds.iter().any(|seed| *seed < -0.5) && seeds.iter().any(|seed| *seed > 0.5));
    }
}
