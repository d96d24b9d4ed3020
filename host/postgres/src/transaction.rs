//! A transaction: a lease with BEGIN behind it and one of COMMIT or ROLLBACK before it.

use std::fmt;

use tokio::sync::Mutex;

use crate::{PgError, call::CallLimits, ident::quoted, pool::Lease, session::Status};

/// How much a transaction sees of others (PostgreSQL documentation, section 13.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what was committed before it.
    ReadCommitted,
    /// All statements see what was committed before the first.
    RepeatableRead,
    /// As if transactions ran one after the other.
    Serializable,
}

/// How a transaction begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionOptions {
    /// None: the session's default.
    pub isolation: Option<Isolation>,
    /// Refuse writes.
    pub read_only: bool,
    /// Wait until a serializable read-only transaction can run without conflicts.
    pub deferrable: bool,
}

impl TransactionOptions {
    pub(crate) fn begin(self) -> String {
        let mut sql = String::from("BEGIN");
        sql.push_str(match self.isolation {
            None => "",
            Some(Isolation::ReadCommitted) => " ISOLATION LEVEL READ COMMITTED",
            Some(Isolation::RepeatableRead) => " ISOLATION LEVEL REPEATABLE READ",
            Some(Isolation::Serializable) => " ISOLATION LEVEL SERIALIZABLE",
        });
        if self.read_only {
            sql.push_str(" READ ONLY");
        }
        if self.deferrable {
            sql.push_str(" DEFERRABLE");
        }
        sql
    }
}

/// An open transaction. Calls take turns. Dropping it rolls it back in the background, then its session returns to
/// the pool; dropping a call's future cancels its statement, which usually aborts the transaction.
pub struct Transaction {
    /// None: it has ended.
    lease: Mutex<Option<Lease>>,
    limits: CallLimits,
}

impl Transaction {
    pub(crate) fn new(lease: Lease, limits: CallLimits) -> Self {
        Self { lease: Mutex::new(Some(lease)), limits }
    }

    /// Runs one statement to its end. See [`Databases::query`](crate::Database::query) for the blocks.
    ///
    /// # Errors
    /// Any kind but `denied`. After a `database` error the transaction is aborted until
    /// [`rollback_to`](Self::rollback_to) or [`rollback`](Self::rollback); after `timeout`, `canceled` or `too-large`
    /// it may be.
    pub async fn query(&self, sql: &str, params: &[u8]) -> Result<Vec<u8>, PgError> {
        let params = self.limits.read(sql, params)?;
        let mut lease = self.lease.lock().await;
        let lease = open(&mut lease)?;
        self.limits.bound(lease.query(sql, &params)).await
    }

    /// Opens a savepoint.
    ///
    /// # Errors
    /// `usage` for a name that is no name; what the server says.
    pub async fn savepoint(&self, name: &str) -> Result<(), PgError> {
        self.at_savepoint("SAVEPOINT", name).await
    }

    /// Releases a savepoint: what was done since stays.
    ///
    /// # Errors
    /// As [`savepoint`](Self::savepoint).
    pub async fn release(&self, name: &str) -> Result<(), PgError> {
        self.at_savepoint("RELEASE SAVEPOINT", name).await
    }

    /// Undoes what was done since the savepoint, which stays.
    ///
    /// # Errors
    /// As [`savepoint`](Self::savepoint).
    pub async fn rollback_to(&self, name: &str) -> Result<(), PgError> {
        self.at_savepoint("ROLLBACK TO SAVEPOINT", name).await
    }

    async fn at_savepoint(&self, verb: &str, name: &str) -> Result<(), PgError> {
        let name = quoted(name)
            .ok_or_else(|| PgError::usage("a savepoint's name has 1 to 63 bytes, none of them null"))?;
        let sql = format!("{verb} {name}");
        let mut lease = self.lease.lock().await;
        let lease = open(&mut lease)?;
        self.limits.bound(lease.command(&sql)).await
    }

    /// Commits. Dropping the future leaves the outcome unknown.
    ///
    /// # Errors
    /// `usage` when it has ended; `database` when the server refused, then nothing is committed: an aborted
    /// transaction is one (25P02). After `connection` or `timeout` the outcome is unknown, as the message says.
    pub async fn commit(&self) -> Result<(), PgError> {
        let mut lease = self.end().await?;
        if self.limits.bound(lease.status()).await? == Status::Failed {
            // The server answers COMMIT here with a silent ROLLBACK.
            self.limits.bound(lease.command("ROLLBACK")).await?;
            return Err(PgError::database("25P02", "the transaction was aborted and is rolled back"));
        }
        self.limits.bound(lease.command("COMMIT")).await.map_err(PgError::outcome_unknown)
    }

    /// Rolls back.
    ///
    /// # Errors
    /// `usage` when it has ended; `connection` or `timeout`, and the transaction is rolled back nevertheless.
    pub async fn rollback(&self) -> Result<(), PgError> {
        let mut lease = self.end().await?;
        self.limits.bound(lease.command("ROLLBACK")).await
    }

    async fn end(&self) -> Result<Lease, PgError> {
        self.lease.lock().await.take().ok_or_else(ended)
    }
}

/// The lease of a transaction that is still open on the server.
fn open(lease: &mut Option<Lease>) -> Result<&mut Lease, PgError> {
    let lease = lease.as_mut().ok_or_else(ended)?;
    if lease.known_status() == Some(Status::Idle) {
        // A procedure can end the transaction that called it: what follows must not run outside of one.
        return Err(PgError::database("25P01", "the transaction was ended by one of its statements"));
    }
    Ok(lease)
}

fn ended() -> PgError {
    PgError::usage("the transaction has ended")
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("limits", &self.limits).finish_non_exhaustive()
    }
}
