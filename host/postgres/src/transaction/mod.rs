//! A transaction: a lease with BEGIN behind it and one of COMMIT or ROLLBACK before it, and a log of what happened in
//! between for as long as it may be replayed ([`replay`]).

mod call;
mod cursor;
mod flows;
mod log;
mod options;
mod replay;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::{
    Mutex,
    oneshot::{self, error::TryRecvError},
};

pub use self::options::{Isolation, TransactionOptions};
use self::{
    call::Call,
    cursor::Cursors,
    log::Log,
    replay::{Replay, Replayed, roll_back},
};
pub(crate) use self::{cursor::Cursor, log::LogLimits};
use crate::{
    Database, PgError, PgErrorKind,
    call::CallLimits,
    ident::quoted,
    pool::Lease,
    rows::Block,
    session::{Loan, Status},
    statistics::{Moved, Observation, Observer, What},
};

/// An open transaction. Calls take turns. Dropping it rolls it back in the background, then its session returns to
/// the pool; dropping a call's future cancels its statement, which usually aborts the transaction, and certainly does
/// if the transaction is being replayed.
pub struct Transaction {
    /// Cursors know it too, without keeping it.
    state: Arc<Mutex<State>>,
    limits: CallLimits,
    /// What begins it, also in a replay.
    opening: Box<str>,
    retries: u32,
    observer: Observer,
    /// By its grant it only reads.
    reads: bool,
    begun: AtomicU32,
    replayed: AtomicU32,
}

struct State {
    standing: Standing,
    log: Log,
    cursors: Cursors,
}

/// How often a call may have a transaction begun anew because definitions have changed.
const MOST_RENEWALS: u32 = 3;

/// Where a transaction stands.
#[allow(clippy::large_enum_variant, reason = "there is one in a transaction, and it is hardly ever moved")]
enum Standing {
    /// Open on the server, or aborted there.
    Open(Lease),
    /// A COPY has its session.
    Lent(oneshot::Receiver<Lease>),
    /// Rolled back for good, as when a replay failed; the guest has yet to end it.
    Undone,
    /// Ended by the guest.
    Ended,
}

impl Transaction {
    /// The transaction that `opening` began on `lease`, a session of this database.
    pub(crate) fn new(lease: Lease, database: &Database, opening: String, retries: u32) -> Self {
        let (limits, observer, reads) = (database.limits, database.observer.clone(), database.read_only);
        // Without retries it is begun anew only at its first statement, when there is nothing to repeat.
        let log = Log::new(if retries > 0 { limits.replay } else { LogLimits::NONE });
        let state = State { standing: Standing::Open(lease), log, cursors: Cursors::default() };
        let (opening, begun, replayed) = (opening.into(), AtomicU32::new(0), AtomicU32::new(0));
        let state = Arc::new(Mutex::new(state));
        Self { state, limits, opening, retries, observer, reads, begun, replayed }
    }

    /// The same transaction with less time for each statement. A longer time than the grant's changes nothing.
    #[must_use]
    pub fn within(&self, timeout: Duration) -> WithinTransaction<'_> {
        WithinTransaction { transaction: self, limits: self.limits.within(timeout) }
    }

    /// Runs one statement to its end. See [`Database::query`](crate::Database::query) for the blocks.
    ///
    /// # Errors
    /// Any kind but `denied`. After a `database` error the transaction is aborted until
    /// [`rollback_to`](Self::rollback_to) or [`rollback`](Self::rollback); after `timeout`, `canceled` or `too-large`
    /// it may be. With retries, 40001 or 40P01 comes only when the transaction could not be replayed (its message says
    /// why), or read differently when it was, or had no retries left; it is rolled back after the last two.
    pub async fn query(&self, sql: &str, params: &[u8]) -> Result<Vec<u8>, PgError> {
        self.call(Call::Query { sql, params }, &self.limits).await
    }

    /// Runs a batch, within the transaction. See [`Database::batch`](crate::Database::batch) for the blocks.
    ///
    /// # Errors
    /// As [`query`](Self::query). After any but `usage` and `database` the transaction is rolled back, since how much of the
    /// batch has happened is not known.
    pub async fn batch(&self, block: &[u8]) -> Result<Vec<u8>, PgError> {
        self.call(Call::Batch(block), &self.limits).await
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
        self.call(Call::Command(&format!("{verb} {name}")), &self.limits).await.map(drop)
    }

    /// Commits. Dropping the future leaves the outcome unknown.
    ///
    /// # Errors
    /// `usage` when it has ended; `database` when the server refused, then nothing is committed: an aborted
    /// transaction is one (25P02). After `connection` or `timeout` the outcome is unknown if the message says so;
    /// else nothing is committed.
    pub async fn commit(&self) -> Result<(), PgError> {
        let mut state = self.state.lock().await;
        state.standing.not_lent()?;
        let mut lease = match state.standing.end() {
            Standing::Open(lease) => lease,
            Standing::Lent(_) => return Err(lent()),
            Standing::Undone => return Err(undone()),
            Standing::Ended => return Err(ended()),
        };
        if self.limits.bound(lease.status()).await? == Status::Failed {
            // The server answers COMMIT here with a silent ROLLBACK.
            self.limits.bound(lease.command("ROLLBACK")).await?;
            return Err(PgError::database("25P02", "the transaction was aborted and is rolled back"));
        }
        let mut observation = self.observer.begin(What::Commit);
        observation.has_session(lease.moved());
        let end = match self.reads {
            true if lease.end_of_reading() == "ROLLBACK" => Call::Command("ROLLBACK"),
            _ => Call::Commit,
        };
        let answer = end.run(&mut lease, &self.limits).await;
        let answer = match (answer, &mut state.log) {
            (Err(failure), log) if self.retries > 0 && failure.is_serialization_failure() => {
                log.expect();
                match log.given_up() {
                    Some(reason) => Err(failure.not_replayed(reason)),
                    None => self.replay(&mut lease, log, Call::Commit, &self.limits, failure).await?,
                }
            }
            (answer, _) => answer,
        };
        observation.end(lease.moved(), answer.is_err());
        answer.map(drop)
    }

    /// Rolls back. While a COPY goes on, it is done when that has ended.
    ///
    /// # Errors
    /// `usage` when it has ended; `connection` or `timeout`, and the transaction is rolled back nevertheless.
    pub async fn rollback(&self) -> Result<(), PgError> {
        match self.state.lock().await.standing.end() {
            Standing::Open(mut lease) => self.limits.bound(lease.command("ROLLBACK")).await,
            // The session comes back to nobody, and is rolled back.
            Standing::Lent(_) | Standing::Undone => Ok(()),
            Standing::Ended => Err(ended()),
        }
    }

    /// How often it was begun anew so far, because the server could not serialize it.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.begun.load(Ordering::Relaxed)
    }

    /// How often it was replayed with the same answers so far: failures that the guest did not see.
    #[must_use]
    pub fn replays(&self) -> u32 {
        self.replayed.load(Ordering::Relaxed)
    }

    async fn call(&self, call: Call<'_>, limits: &CallLimits) -> Result<Block, PgError> {
        let mut state = self.state.lock().await;
        let Some(what) = call.what(limits) else { return self.call_on(&mut state, call, limits).await };
        let mut observation = self.observer.begin(what);
        observation.has_session(state.moved());
        let answer = self.call_on(&mut state, call, limits).await;
        observation.end(state.moved(), answer.is_err());
        answer
    }

    async fn call_on(
        &self,
        state: &mut State,
        call: Call<'_>,
        limits: &CallLimits,
    ) -> Result<Block, PgError> {
        let State { standing, log, cursors } = state;
        cursors.sweep(standing.open()?, limits).await?;
        log.expect();
        let answer = match call {
            Call::Batch(_) => standing.run_whole(call, limits).await,
            _ => call.run(standing.open()?, limits).await,
        };
        let answer = match answer {
            Err(failure) if self.begins_anew(&failure) => match log.given_up() {
                Some(reason) if failure.is_serialization_failure() => Err(failure.not_replayed(reason)),
                Some(_) => Err(failure),
                None => {
                    // Out of the transaction: should this future be dropped, the lease rolls back by itself.
                    let mut lease = standing.undo()?;
                    let answer = self.replay(&mut lease, log, call, limits, failure).await?;
                    *standing = Standing::Open(lease);
                    answer
                }
            },
            answer => answer,
        };
        log.note(call, &answer);
        answer
    }

    /// Whether a failure is one after which it may be begun anew: the server could not serialize it, or knows a kept
    /// statement no more as it was.
    fn begins_anew(&self, failure: &PgError) -> bool {
        failure.is_stale() || (self.retries > 0 && failure.is_serialization_failure())
    }

    /// Replays until `call`, which met `failure`, has another answer: the inner result.
    ///
    /// # Errors
    /// The transaction is rolled back: it read differently, there are no retries left, or the replay itself failed.
    async fn replay(
        &self,
        lease: &mut Lease,
        log: &Log,
        call: Call<'_>,
        limits: &CallLimits,
        mut failure: PgError,
    ) -> Result<Result<Block, PgError>, PgError> {
        let mut renewed = 0;
        loop {
            let begun = self.retries();
            let exhausted = match failure.is_stale() {
                true => renewed >= MOST_RENEWALS,
                false => begun >= self.retries,
            };
            if exhausted {
                self.limits.bound(roll_back(lease)).await?;
                return Err(failure);
            }
            renewed += u32::from(failure.is_stale());
            let counts = u32::from(!failure.is_stale());
            self.begun.store(begun + counts, Ordering::Relaxed);
            if counts > 0 {
                lease.observation().iter().for_each(Observation::retried);
            }
            let statements = log.entries().len();
            tracing::debug!(sqlstate = failure.sqlstate(), begun, statements, "postgres transaction replays");
            let replay = Replay { opening: &self.opening, log, limits: &self.limits, begun };
            let replayed = replay.run(lease, call, limits).await;
            match replayed
                .inspect_err(|error| tracing::debug!(%error, "postgres transaction not replayed"))?
            {
                Replayed::Again(error) => failure = error,
                Replayed::Equal(answer) => {
                    self.replayed.fetch_add(counts, Ordering::Relaxed);
                    if counts > 0 {
                        lease.observation().iter().for_each(Observation::replayed);
                    }
                    return Ok(answer);
                }
            }
        }
    }
}

/// An open transaction with less time for each statement: [`Transaction::within`].
#[derive(Clone, Copy, Debug)]
pub struct WithinTransaction<'a> {
    transaction: &'a Transaction,
    limits: CallLimits,
}

impl WithinTransaction<'_> {
    /// As [`Transaction::query`].
    ///
    /// # Errors
    /// As there.
    pub async fn query(&self, sql: &str, params: &[u8]) -> Result<Vec<u8>, PgError> {
        self.transaction.call(Call::Query { sql, params }, &self.limits).await
    }

    /// As [`Transaction::batch`].
    ///
    /// # Errors
    /// As there.
    pub async fn batch(&self, block: &[u8]) -> Result<Vec<u8>, PgError> {
        self.transaction.call(Call::Batch(block), &self.limits).await
    }
}

impl State {
    /// What has moved on its session, as far as that is here.
    fn moved(&self) -> Moved {
        match &self.standing {
            Standing::Open(lease) => lease.moved(),
            Standing::Lent(_) | Standing::Undone | Standing::Ended => Moved::default(),
        }
    }
}

impl Standing {
    fn end(&mut self) -> Self {
        self.settle();
        std::mem::replace(self, Self::Ended)
    }

    /// Takes the session back from a COPY that has ended.
    fn settle(&mut self) {
        let Self::Lent(back) = self else { return };
        match back.try_recv() {
            Ok(lease) => *self = Self::Open(lease),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Closed) => *self = Self::Undone,
        }
    }

    fn not_lent(&mut self) -> Result<(), PgError> {
        self.settle();
        if matches!(self, Self::Lent(_)) { Err(lent()) } else { Ok(()) }
    }

    /// Lends the session to what has it until its end.
    fn lend(&mut self) -> Result<Loan, PgError> {
        let (loan, back) = Loan::lent(self.undo()?);
        *self = Self::Lent(back);
        Ok(loan)
    }

    /// The lease of a transaction that is still open on the server.
    fn open(&mut self) -> Result<&mut Lease, PgError> {
        self.settle();
        let lease = match self {
            Self::Open(lease) => lease,
            Self::Lent(_) => return Err(lent()),
            Self::Undone => return Err(undone()),
            Self::Ended => return Err(ended()),
        };
        if lease.known_status() == Some(Status::Idle) {
            // A procedure can end the transaction that called it: what follows must not run outside of one.
            return Err(PgError::database("25P01", "the transaction was ended by one of its statements"));
        }
        Ok(lease)
    }

    /// Runs what must not be left half-done: given up, or ended so that it is not known what has happened, it rolls the
    /// transaction back.
    async fn run_whole(&mut self, call: Call<'_>, limits: &CallLimits) -> Result<Block, PgError> {
        let mut lease = self.undo()?;
        let answer = call.run(&mut lease, limits).await;
        let known = match &answer {
            Ok(_) => true,
            Err(error) if error.kind == PgErrorKind::Usage => true,
            Err(_) => limits.bound(lease.status()).await == Ok(Status::Failed),
        };
        if known {
            *self = Self::Open(lease);
        }
        answer
    }

    /// Takes the lease out.
    fn undo(&mut self) -> Result<Lease, PgError> {
        self.not_lent()?;
        match std::mem::replace(self, Self::Undone) {
            Self::Open(lease) => Ok(lease),
            Self::Lent(_) => Err(lent()),
            Self::Undone => Err(undone()),
            Self::Ended => Err(ended()),
        }
    }
}

fn undone() -> PgError {
    PgError::database("25P02", "the transaction is rolled back")
}

fn lent() -> PgError {
    PgError::usage("a copy of the transaction goes on: end it first")
}

fn ended() -> PgError {
    PgError::usage("the transaction has ended")
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("limits", &self.limits).finish_non_exhaustive()
    }
}
