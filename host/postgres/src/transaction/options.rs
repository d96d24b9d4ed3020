//! How a transaction begins.

use crate::PgError;

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

/// How a transaction begins, and how often it may begin anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionOptions {
    /// None: the session's default.
    pub isolation: Option<Isolation>,
    /// Refuse writes.
    pub read_only: bool,
    /// Wait until a serializable read-only transaction can run without conflicts.
    pub deferrable: bool,
    /// How often the transaction may be replayed in its whole life when the server could not serialize it, at most
    /// [`MAX_RETRIES`](Self::MAX_RETRIES). 0: never; such a failure is then the guest's, and no log is kept.
    pub retries: u32,
}

impl TransactionOptions {
    /// Most replays of one transaction.
    pub const MAX_RETRIES: u32 = 100;

    pub(crate) fn check(self) -> Result<(), PgError> {
        let (retries, most) = (self.retries, Self::MAX_RETRIES);
        if retries > most {
            return Err(PgError::usage(format!(
                "{retries} retries of a transaction: at most {most} are allowed"
            )));
        }
        Ok(())
    }

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
