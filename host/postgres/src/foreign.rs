//! Columns that only the server can read.
//!
//! The driver asks for every column in the binary format. For a type whose binary form the host does not know (money
//! depends on the server's locale, most types of extensions are theirs alone) or that has none (aclitem: 42883), the
//! honest answer is Postgres's own text, so the statement is prepared once more as the source of one that casts:
//!
//! ```sql
//! WITH "fasterapi result"("1", "2") AS (
//! SELECT id, price FROM items
//! ) SELECT "1" AS "id", "2"::pg_catalog.text AS "price" FROM "fasterapi result"
//! ```
//!
//! It works for whatever may stand in a WITH query, RETURNING included; the server inlines a plain SELECT, so
//! it streams and stops early as before. A statement that begins with WITH itself gets one more query behind its own:
//! what changes data must stand on the outermost level.

use tokio_postgres::Column;

use crate::lexer::{Token, tokens_to};

/// A statement whose columns are all readable, and what was inserted into it, in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AsText {
    pub(crate) sql: String,
    pub(crate) inserted: Inserted,
}

/// Text that the host put into a statement: the server counts it in the positions of its errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inserted {
    at: u32,
    length: u32,
}

impl Inserted {
    /// Where a position (1-based) is in the statement as it was given. None: it is in what was inserted.
    pub(crate) fn origin(self, position: u32) -> Option<u32> {
        if position <= self.at {
            return Some(position);
        }
        position.checked_sub(self.length).filter(|position| *position > self.at)
    }
}

/// Casts the columns of `sql`, one cast (or an empty text) for each. None: it is no statement that can be a query
/// within another.
pub(crate) fn as_text(sql: &str, columns: &[Column], casts: &[&str]) -> Option<AsText> {
    let main = main_query(sql)?;
    let numbered =
        |what: &dyn Fn(usize) -> String| (0..columns.len()).map(what).collect::<Vec<_>>().join(", ");
    let names = numbered(&|index| format!("\"{}\"", index + 1));
    let values = numbered(&|index| {
        let name = columns.get(index).map(|column| column.name().replace('"', "\"\"")).unwrap_or_default();
        format!("\"{}\"{} AS \"{name}\"", index + 1, casts.get(index).unwrap_or(&""))
    });
    let before = sql.get(..main.start)?;
    let begin = if main.follows { ", " } else { "WITH " };
    let begin = format!("{begin}\"fasterapi result\"({names}) AS (\n");
    let query = sql.get(main.start..main.end)?;
    let text = format!("{before}{begin}{query}\n) SELECT {values} FROM \"fasterapi result\"");
    let characters = |text: &str| text.chars().count() as u32;
    let inserted = Inserted { at: characters(before), length: characters(&begin) };
    Some(AsText { sql: text, inserted })
}

/// The part of a statement that gives its result, in bytes.
struct MainQuery {
    start: usize,
    end: usize,
    /// Other WITH queries stand before it.
    follows: bool,
}

fn main_query(sql: &str) -> Option<MainQuery> {
    let mut main: Option<(usize, bool)> = None;
    let mut end = sql.len();
    let (mut depth, mut before) = (0_i32, None);
    for (token, to) in tokens_to(sql) {
        match token {
            Token::Sign(b';') if depth == 0 => {
                end = to - 1;
                break;
            }
            Token::Word(word) if before.is_none() => {
                main = match word.to_ascii_lowercase().as_str() {
                    "with" => None,
                    word if QUERIES.contains(&word) => Some((0, false)),
                    _ => return None,
                };
            }
            Token::Sign(b'(') if before.is_none() => main = Some((0, false)),
            Token::Word(word) if main.is_none() && depth == 0 => {
                let word_is = |words: &[&str]| words.contains(&word.to_ascii_lowercase().as_str());
                if word_is(&["search", "cycle"]) {
                    // What follows them are names, which may be any word.
                    return None;
                }
                if before == Some(Token::Sign(b')')) && word_is(QUERIES) {
                    main = Some((to - word.len(), true));
                }
            }
            Token::Sign(b'(') if main.is_none() && depth == 0 && before == Some(Token::Sign(b')')) => {
                main = Some((to - 1, true));
            }
            _ => {}
        }
        depth += match token {
            Token::Sign(b'(') => 1,
            Token::Sign(b')') => -1,
            _ => 0,
        };
        before = Some(token);
    }
    main.map(|(start, follows)| MainQuery { start, end, follows })
}

/// What begins a query that may stand within another.
const QUERIES: &[&str] = &["select", "values", "table", "insert", "update", "delete", "merge"];

#[cfg(test)]
mod tests {
    use super::*;

    fn main(sql: &str) -> Option<(&str, bool)> {
        main_query(sql).map(|main| (&sql[main.start..main.end], main.follows))
    }

    #[test]
    fn the_query_that_gives_the_result_is_found() {
        for (sql, query, follows) in [
            ("SELECT 1", "SELECT 1", false),
            ("-- a\n select ';' ; -- b", "-- a\n select ';' ", false),
            ("(select 1) union (select 2)", "(select 1) union (select 2)", false),
            (
                "insert into t with a as (select 1) table a",
                "insert into t with a as (select 1) table a",
                false,
            ),
            ("WITH a AS (SELECT 1) SELECT * FROM a;", "SELECT * FROM a", true),
            (
                "with update as (select 1), b(x) as materialized (values (1)) delete from t",
                "delete from t",
                true,
            ),
            ("with recursive a as (select 1) (select 2)", "(select 2)", true),
            ("with \"select\" as (select 1) -- delete\n update t set x = 1", "update t set x = 1", true),
        ] {
            assert_eq!(main(sql), Some((query, follows)), "{sql}");
        }
    }

    #[test]
    fn what_cannot_stand_within_another_is_left() {
        for sql in [
            "",
            "SHOW all",
            "explain select 1",
            "fetch c",
            "call p()",
            "with a as (select 1) search depth first by x set select select 1",
        ] {
            assert_eq!(main(sql), None, "{sql}");
        }
    }

    #[test]
    fn positions_are_those_of_the_statement_as_given() {
        let inserted = Inserted { at: 10, length: 5 };
        let origins = [1, 10, 11, 15, 16, 30].map(|position| inserted.origin(position));
        assert_eq!(origins, [Some(1), Some(10), None, None, Some(11), Some(25)]);
        assert_eq!(Inserted::default().origin(1), Some(1));
    }
}
