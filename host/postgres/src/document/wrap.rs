//! The statement around the guest's, in which the server writes the values.

use crate::{
    PgError,
    lexer::{Token, tokens},
};

/// A statement, and what the guest is not to see of it.
pub(super) struct Wrapped {
    pub(super) sql: String,
    before: usize,
}

/// `sql` with one column: the row as an object.
pub(super) fn json(sql: &str) -> Wrapped {
    wrap(sql, "pg_catalog.to_json(q)::text", "")
}

/// `sql` with each of its so many columns as COPY's text.
pub(super) fn csv(sql: &str, columns: usize) -> Wrapped {
    let numbers = 1..=columns;
    // `format` asks the type's own output function, as COPY does; a cast to text may not.
    let value = |n| format!("CASE pg_catalog.num_nulls(c{n}) WHEN 0 THEN pg_catalog.format('%s', c{n}) END");
    let values: Vec<String> = numbers.clone().map(value).collect();
    let names: Vec<String> = numbers.map(|n| format!("c{n}")).collect();
    let names = if names.is_empty() { String::new() } else { format!("({})", names.join(", ")) };
    wrap(sql, &values.join(", "), &names)
}

fn wrap(sql: &str, values: &str, names: &str) -> Wrapped {
    let sql = sql.trim_end().trim_end_matches(';');
    let first = tokens(sql).find_map(|token| match token {
        Token::Word(word) => Some(word.to_ascii_lowercase()),
        _ => None,
    });
    let changes = matches!(first.as_deref(), Some("insert" | "update" | "delete" | "merge"));
    let before = match changes {
        true => format!("WITH q{names} AS ("),
        false => format!("SELECT {values} FROM ("),
    };
    // A comment at the end of the guest's statement ends with its line.
    let after = match changes {
        true => format!("\n) SELECT {values} FROM q"),
        false => format!("\n) AS q{names}"),
    };
    Wrapped { sql: format!("{before}{sql}{after}"), before: before.chars().count() }
}

impl Wrapped {
    /// The error with its position in the guest's own statement.
    pub(super) fn explain(&self, mut error: PgError) -> PgError {
        if let Some(report) = &mut error.report {
            let before = u32::try_from(self.before).unwrap_or(u32::MAX);
            report.position = report.position.and_then(|at| at.checked_sub(before)).filter(|at| *at > 0);
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_wrapped_as_they_can_be() {
        assert_eq!(
            json("SELECT 1 -- x").sql,
            "SELECT pg_catalog.to_json(q)::text FROM (SELECT 1 -- x\n) AS q"
        );
        assert_eq!(
            json("/* SELECT */ insert into t values (1) returning i;").sql,
            "WITH q AS (/* SELECT */ insert into t values (1) returning i\n) SELECT pg_catalog.to_json(q)::text FROM q"
        );
        let wrapped = csv("TABLE t", 1).sql;
        assert!(wrapped.ends_with("FROM (TABLE t\n) AS q(c1)"), "{wrapped}");
    }
}
