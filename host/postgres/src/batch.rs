//! Batches: several statements, or one with many sets of parameters, in one round trip.
//!
//! A batch is all or nothing: outside of a transaction it runs as one. That is why it may not hold savepoint commands,
//! with which a part of it could fail and the rest be committed. The blocks: README of `fasterapi:postgres`.

use crate::{
    Database, PgError, TransactionOptions,
    judge::is_savepoint,
    params::{List, Params, Value},
    pool::Lease,
    session::Opening,
    statistics::What,
};

/// Most statements in a batch. Their sets of parameters are bounded by the block's bytes only.
const MAX_ITEMS: usize = 1000;

/// A batch, read from its block.
pub(crate) struct Batch<'a>(Vec<Item<'a>>);

/// A statement and its sets of parameters.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) sql: &'a str,
    /// The statement stands before the sets.
    whole: List<'a>,
}

impl<'a> Batch<'a> {
    /// Reads a block of at most `limit` bytes.
    ///
    /// # Errors
    /// `usage` for anything else; the statements themselves are judged when they are prepared.
    pub(crate) fn read(block: &'a [u8], limit: usize) -> Result<Self, PgError> {
        let whole = Params::read(block, limit)?;
        let count = whole.values().len();
        if count > MAX_ITEMS {
            return Err(PgError::usage(format!(
                "a batch of {count} statements: at most {MAX_ITEMS} are allowed"
            )));
        }
        let items = whole.values().iter().enumerate().map(|(index, value)| match value {
            Value::List(list) => Item::read(*list).map_err(|error| error.of_item(index, None)),
            other => Err(no_item(other.kind()).of_item(index, None)),
        });
        items.collect::<Result<_, _>>().map(Self)
    }

    /// What it is to the statistics.
    pub(crate) fn what(&self) -> What<'a> {
        match self.0.as_slice() {
            [only] if only.len() == 1 => What::Sql(only.sql),
            items => What::Batch(items.first().map_or("", |item| item.sql)),
        }
    }

    pub(crate) fn items(&self) -> &[Item<'a>] {
        &self.0
    }
}

impl<'a> Item<'a> {
    fn read(whole: List<'a>) -> Result<Self, PgError> {
        let mut values = whole.iter();
        let sql = match values.next() {
            Some(Value::Text(sql)) => sql,
            other => return Err(no_item(other.map_or("nothing", |value| value.kind()))),
        };
        if let Some(other) = values.find(|value| !matches!(value, Value::List(_))) {
            return Err(PgError::usage(format!("a set of parameters is a tuple, not {}", other.kind())));
        }
        if is_savepoint(sql) {
            return Err(PgError::usage("savepoints have no place in a batch, which is all or nothing"));
        }
        Ok(Self { sql, whole })
    }

    /// The number of a set for a message, which needs none where there is only one.
    pub(crate) fn set(&self, number: usize) -> Option<usize> {
        (self.len() > 1).then_some(number)
    }

    /// How often the statement is to be run.
    pub(crate) fn len(&self) -> usize {
        self.whole.len().saturating_sub(1)
    }

    /// The sets of parameters, each read when it is asked for.
    pub(crate) fn sets(&self) -> impl Iterator<Item = Params<'a>> + use<'a> {
        self.whole.iter().skip(1).filter_map(|value| match value {
            Value::List(list) => Some(Params::of(list)),
            _ => None,
        })
    }
}

fn no_item(found: &str) -> PgError {
    PgError::usage(format!("an item of a batch is a tuple that begins with its statement, not with {found}"))
}

impl Database {
    /// Runs a batch as one transaction, in one round trip once its statements are prepared, and returns its packed
    /// results. The time for a statement is the batch's. Dropping the future cancels it: it has then happened wholly or not
    /// at all, as after `connection` and `timeout`.
    ///
    /// # Errors
    /// Any kind; nothing of the batch has happened then. The message says which item failed, and with which of its sets of
    /// parameters. What the guest did wrong with any set is told before anything is run.
    pub async fn batch(&self, block: &[u8]) -> Result<Vec<u8>, PgError> {
        let batch = &self.limits().read_batch(block)?;
        let opening = &self.opening(TransactionOptions::default());
        let opening = Opening { sql: opening, end: self.end_of_statement() };
        let work = |mut lease: Lease| async move { (lease.batch(batch, Some(opening)).await, lease) };
        self.on_lease(Some(batch.what()), work).await.map(|(block, _)| block)
    }
}
