//! The bounds on one call of a guest.

use std::time::Duration;

use tokio::time::timeout;

use crate::{PgError, PoolLimits, batch::Batch, params::Params, transaction::LogLimits};

/// The bounds on one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallLimits {
    pub(crate) statement_timeout: Duration,
    pub(crate) max_parameter_bytes: usize,
    pub(crate) replay: LogLimits,
    pub(crate) max_result_bytes: usize,
}

impl CallLimits {
    pub(crate) fn of(limits: &PoolLimits) -> Self {
        let PoolLimits { statement_timeout, max_parameter_bytes, max_result_bytes, .. } = *limits;
        let replay = LogLimits { bytes: limits.max_replay_bytes, calls: limits.max_replay_statements };
        Self { statement_timeout, max_parameter_bytes, max_result_bytes, replay }
    }

    /// The same with less time for a statement. A longer time changes nothing.
    pub(crate) fn within(mut self, timeout: Duration) -> Self {
        self.statement_timeout = self.statement_timeout.min(timeout);
        self
    }

    /// The same with another time for a statement.
    pub(crate) fn with_statement_timeout(self, statement_timeout: Duration) -> Self {
        Self { statement_timeout, ..self }
    }

    /// Reads the parameters of a call, once its statement is of a size.
    pub(crate) fn read<'a>(&self, sql: &str, params: &'a [u8]) -> Result<Params<'a>, PgError> {
        self.check(sql)?;
        Params::read(params, self.max_parameter_bytes)
    }

    /// Whether a statement is of a size.
    pub(crate) fn check(&self, sql: &str) -> Result<(), PgError> {
        let (size, limit) = (sql.len(), self.max_parameter_bytes);
        if size > limit {
            return Err(PgError::usage(format!("the statement has {size} bytes, over the limit of {limit}")));
        }
        Ok(())
    }

    /// Reads a batch.
    pub(crate) fn read_batch<'a>(&self, block: &'a [u8]) -> Result<Batch<'a>, PgError> {
        Batch::read(block, self.max_parameter_bytes)
    }

    /// `call` with its deadline. At the deadline its future is dropped, which cancels the statement.
    pub(crate) async fn bound<T>(
        &self,
        call: impl Future<Output = Result<T, PgError>>,
    ) -> Result<T, PgError> {
        timeout(self.statement_timeout, call).await.unwrap_or_else(|_| Err(self.overdue()))
    }

    /// What a call is told at its deadline.
    pub(crate) fn overdue(&self) -> PgError {
        let deadline = self.statement_timeout;
        PgError::overdue(format!("the statement did not end within {deadline:?} and was cancelled"))
    }
}
