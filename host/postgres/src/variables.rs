//! Variables that the host sets for a guest's statements, for row-level security: `current_setting('app.tenant_id')`
//! in a policy.
//!
//! They have SET LOCAL's life: a transaction, so that no session keeps them. A statement of its own becomes a
//! transaction for them. They keep an honest guest's mistakes apart, not a hostile one: any SQL may set a variable of
//! this kind again. What must hold against the guest is the right of its role.

use std::{fmt::Write, sync::Arc};

use crate::{Database, PgError, TransactionOptions, params::Params, pool::Lease, rows::Block};

/// Names with their values.
pub type Variables = Arc<[(Box<str>, Box<str>)]>;

impl Database {
    /// Sets variables for everything that follows on this handle. A null character ends a value.
    #[must_use]
    pub fn with_variables(mut self, variables: Variables) -> Self {
        self.variables = (!variables.is_empty()).then_some(variables);
        self
    }

    /// The text that begins each transaction on this database.
    pub(crate) fn opening(&self, options: TransactionOptions) -> String {
        let mut opening = options.begin();
        for (name, value) in self.variables.iter().flat_map(|variables| variables.iter()) {
            let (name, value) = (literal(name), literal(value));
            let _ = write!(opening, "; SELECT pg_catalog.set_config({name}, {value}, true)");
        }
        opening
    }

    /// What comes before a statement that flows: it is the only one of its transaction, which the session's return
    /// rolls back, so it may only read. None: nothing.
    pub(crate) fn opening_of_flow(&self) -> Option<String> {
        let reading = TransactionOptions { read_only: true, ..TransactionOptions::default() };
        self.variables.as_ref().map(|_| self.opening(reading))
    }

    /// Refuses what would have to be committed behind its end.
    pub(crate) fn refuse_under_variables(&self, what: &str) -> Result<(), PgError> {
        match self.variables {
            None => Ok(()),
            Some(_) => Err(PgError::usage_hint(
                format!("{what} needs a transaction here: the host sets variables for it"),
                "begin one, and do it there",
            )),
        }
    }

    /// One statement within a transaction of its own.
    pub(crate) async fn query_under_variables(
        &self,
        sql: &str,
        params: &Params<'_>,
    ) -> Result<Block, PgError> {
        let opening = &*self.opening(TransactionOptions::default());
        let work = |mut lease: Lease| async move { (between(&mut lease, opening, sql, params).await, lease) };
        self.on_lease(work).await.map(|(block, _)| block)
    }
}

async fn between(lease: &mut Lease, opening: &str, sql: &str, params: &Params<'_>) -> Result<Block, PgError> {
    lease.command(opening).await?;
    let block = lease.query(sql, params).await?;
    lease.command("COMMIT").await.map_err(PgError::outcome_unknown)?;
    Ok(block)
}

/// A string that reads the same whatever the session thinks of backslashes.
fn literal(text: &str) -> String {
    let text = text.split('\0').next().unwrap_or_default();
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_ends_where_it_ends() {
        assert_eq!(literal("a'b\\'; DROP"), "E'a''b\\\\''; DROP'");
        assert_eq!(literal("a\0b"), "E'a'");
    }
}
