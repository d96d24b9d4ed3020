//! Variables that the host sets for a guest's statements, for row-level security: `current_setting('app.tenant_id')`
//! in a policy.
//!
//! They have SET LOCAL's life: a transaction, so that no session keeps them. A statement of its own becomes a
//! transaction for them. They keep an honest guest's mistakes apart, not a hostile one: any SQL may set a variable of
//! this kind again. What must hold against the guest is the right of its role.

use std::{fmt::Write, sync::Arc};

use crate::{Database, PgError, TransactionOptions, session::End};

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
    pub(crate) fn opening(&self, mut options: TransactionOptions) -> String {
        options.read_only |= self.read_only;
        let mut opening = options.begin();
        if self.read_only {
            // Once it has read, nothing makes it one that writes.
            opening.push_str("; SELECT");
        }
        for (name, value) in self.variables.iter().flat_map(|variables| variables.iter()) {
            let (name, value) = (literal(name), literal(value));
            let _ = write!(opening, "; SELECT pg_catalog.set_config({name}, {value}, true)");
        }
        opening
    }

    /// What begins the transaction that a statement of its own needs. None: it needs none.
    pub(crate) fn opening_of_statement(&self) -> Option<String> {
        self.needs_opening().then(|| self.opening(TransactionOptions::default()))
    }

    /// And how that ends.
    pub(crate) fn end_of_statement(&self) -> End {
        if self.read_only { End::Reads } else { End::WhenSafe }
    }

    /// The same for a statement that flows. Nothing comes behind its end that could be refused, so it may only read.
    pub(crate) fn opening_of_flow(&self) -> Option<String> {
        let reading = TransactionOptions { read_only: true, ..TransactionOptions::default() };
        self.needs_opening().then(|| self.opening(reading))
    }

    fn needs_opening(&self) -> bool {
        self.variables.is_some() || self.read_only
    }

    /// Refuses what writes, and would have to be committed behind its end.
    pub(crate) fn refuse_copy_in(&self) -> Result<(), PgError> {
        if self.read_only {
            let message = "cannot execute COPY FROM in a read-only transaction";
            return Err(PgError::database("25006", message));
        }
        match self.variables {
            None => Ok(()),
            Some(_) => Err(PgError::usage_hint(
                "a COPY needs a transaction here: the host sets variables for it",
                "begin one, and do it there",
            )),
        }
    }
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
