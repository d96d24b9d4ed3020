//! What a statement would do to its session, judged by its text before it is first prepared.
//!
//! The host begins and ends transactions itself, so a statement that would do so is refused; so is a COPY over the
//! wire, which the query interface has no place for. For the rest the question is whether the session is still
//! as new afterwards. The judgement errs on the side of a reset: it costs a round trip off the request's path.

use crate::{
    PgError,
    harmless::{is_harmless_command, touches_session},
    lexer::{Token, is_word, tokens},
};

/// What a session needs after a statement before its next use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trace {
    /// Nothing.
    None,
    /// A reset.
    Dirty,
    /// It is not used again: its prepared statements are no longer those that the host knows.
    Spoilt,
}

/// Judges `sql`.
///
/// # Errors
/// `usage` for what has another interface: transaction control, COPY from or to the client.
pub(crate) fn judge(sql: &str) -> Result<Trace, PgError> {
    if sql.contains('\0') {
        return Err(PgError::usage("the statement contains a null character"));
    }
    let mut words = tokens(sql).filter_map(|token| match token {
        Token::Word(word) => Some(word.to_ascii_lowercase()),
        _ => None,
    });
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match (first.as_str(), second.as_str()) {
        ("rollback", _) if tokens(sql).any(|t| is_word(t, "to")) => return Ok(Trace::None),
        ("begin" | "start" | "commit" | "end" | "rollback" | "abort", _) | ("prepare", "transaction") => {
            let message = format!("`{first}` is no statement of its own here");
            return Err(PgError::usage_hint(message, "use the transaction interface"));
        }
        ("copy", _) if tokens(sql).any(|t| is_word(t, "stdin") || is_word(t, "stdout")) => {
            let message = "copy from or to the client is no statement of its own here";
            return Err(PgError::usage_hint(message, "use the copy interface"));
        }
        ("prepare" | "deallocate" | "discard" | "load", _) => return Ok(Trace::Spoilt),
        _ => {}
    }
    let known = is_harmless_command(&first);
    Ok(if known && !touches_session(tokens(sql)) { Trace::None } else { Trace::Dirty })
}

/// Which way a COPY over the wire goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// `FROM STDIN`.
    In,
    /// `TO STDOUT`.
    Out,
}

/// Judges `sql`, which must be a COPY over the wire in this direction.
///
/// # Errors
/// `usage` for anything else. `STDIN` and `STDOUT` mean the same to the server (its `gram.y`), so they do here.
pub(crate) fn judge_copy(sql: &str, wanted: Direction) -> Result<Trace, PgError> {
    let (verb, example) = match wanted {
        Direction::In => ("from", "`COPY … FROM STDIN`"),
        Direction::Out => ("to", "`COPY … TO STDOUT`"),
    };
    let refused = || PgError::usage(format!("only {example} is a copy of this direction"));
    if sql.contains('\0') {
        return Err(PgError::usage("the statement contains a null character"));
    }
    let mut depth = 0_u32;
    let mut words = tokens(sql).filter(|token| match token {
        Token::Sign(b'(') => {
            depth += 1;
            false
        }
        Token::Sign(b')') => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    });
    let copies = words.next().is_some_and(|token| is_word(token, "copy"));
    let found = words.find(|token| is_word(*token, "from") || is_word(*token, "to"));
    let wire = words.next().is_some_and(|token| is_word(token, "stdin") || is_word(token, "stdout"));
    if !(copies && wire && found.is_some_and(|token| is_word(token, verb))) {
        return Err(refused());
    }
    // `COPY` itself stands before a parenthesis without being called.
    Ok(if touches_session(tokens(sql).skip(1)) { Trace::Dirty } else { Trace::None })
}

/// Whether a statement moves within its transaction: with one of these, what failed may still be committed.
pub(crate) fn is_savepoint(sql: &str) -> bool {
    first_is(sql, &["savepoint", "release", "rollback"])
}

/// Whether a statement certainly changes nothing, its session included. False also for many of which it is true.
pub(crate) fn is_read(sql: &str, trace: Trace) -> bool {
    trace == Trace::None && first_is(sql, &["select", "values", "table", "show"])
}

/// Whether a statement is one that changes rows, or WITH, which may be.
pub(crate) fn is_change(sql: &str) -> bool {
    first_is(sql, &["insert", "update", "delete", "merge", "with"])
}

/// Whether a statement is a query of which a cursor can be made: by its words it changes nothing. WITH is one if neither
/// what it ends with nor what it begins with inserts, updates, deletes or merges.
pub(crate) fn is_query(sql: &str) -> bool {
    const QUERY: &[&str] = &["select", "values", "table"];
    const CHANGE: &[&str] = &["insert", "update", "delete", "merge"];
    let is_one = |token, words: &[&str]| words.iter().any(|word| is_word(token, word));
    let mut tokens = tokens(sql);
    match tokens.next() {
        Some(first) if is_one(first, QUERY) || first == Token::Sign(b'(') => return true,
        Some(first) if is_word(first, "with") => {}
        _ => return false,
    }
    let (mut depth, mut before, mut main) = (0_u32, Token::Sign(b' '), None);
    for token in tokens {
        if before == Token::Sign(b'(') && is_one(token, CHANGE) {
            return false;
        }
        // Behind the last of the queries that WITH names; other words that stand there are names.
        if depth == 0 && before == Token::Sign(b')') && main.is_none() {
            main = match token {
                _ if is_one(token, CHANGE) => Some(false),
                _ if is_one(token, QUERY) || token == Token::Sign(b'(') => Some(true),
                _ => None,
            };
        }
        match token {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = token;
    }
    main.unwrap_or(false)
}

fn first_is(sql: &str, words: &[&str]) -> bool {
    tokens(sql).next().is_some_and(|first| words.iter().any(|word| is_word(first, word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_statements_leave_no_trace() {
        for sql in [
            "SELECT id, name FROM items WHERE id = $1",
            "select count(*), max(price) from items where id in ($1, $2) and (a or b)",
            "INSERT INTO items(name, price) VALUES ($1, $2) RETURNING id",
            "insert into shop.\"items\" (name) select lower(name) from other on conflict (name) do nothing",
            "UPDATE items SET name = 'set_config(1)' WHERE id = $1 -- SET x()",
            "/* BEGIN */ delete from items",
            "WITH t AS (SELECT 1) SELECT * FROM t",
            "savepoint a",
            "rollback to savepoint a",
        ] {
            assert_eq!(judge(sql), Ok(Trace::None), "{sql}");
        }
    }

    #[test]
    fn what_may_touch_the_session_is_seen() {
        for sql in [
            "SET search_path = x",
            "reset all",
            "select set_config('a.b', 'c', false)",
            "select pg_catalog.pg_advisory_lock(1)",
            "select \"pg_advisory_lock\" (1)",
            "select my_function($1)",
            "select 1 into t from my_function (1)",
            "CREATE TEMP TABLE t (id int)",
            "select 1 into temporary t",
            "create table pg_temp.t (id int)",
            "LISTEN x",
            "declare c cursor with hold for select 1",
            "do $$ begin perform 1; end $$",
            "set role other",
            "update pg_settings set setting = 'x'",
            "update only pg_catalog.\"pg_settings\" set setting = 'x'",
            "with a as (update PG_SETTINGS set setting = 'x') select 1",
            "update U&\"pg\\005fsettings\" set setting = 'x'",
            "select shop.lower(name) from items",
            "select 1 as id into items",
            "create table items (id int)",
            "refresh materialized view v",
            "",
        ] {
            assert_eq!(judge(sql), Ok(Trace::Dirty), "{sql}");
        }
        for sql in ["PREPARE x AS SELECT 1", "deallocate all", "DISCARD ALL", "load 'x'"] {
            assert_eq!(judge(sql), Ok(Trace::Spoilt), "{sql}");
        }
    }

    #[test]
    fn queries_are_told_from_what_changes_something() {
        for sql in [
            "select 1",
            "/* x */ VALUES (1)",
            "table t",
            "(select 1) union (select 2)",
            "with a as (select 1), b (x, y) as materialized (values (1, 2)) select * from a for update",
            "with recursive a as (table t) (select 1)",
            "with update as (select delete, (select 1) from t) select 1",
        ] {
            assert!(is_query(sql), "{sql}");
        }
        for sql in [
            "",
            "insert into t select 1",
            "show all",
            "explain select 1",
            "fetch c",
            "with a as (select 1) insert into t table a",
            "with a as (select 1) delete from t",
            "with a as (delete from t returning *) select * from a",
            "with a as materialized (UPDATE t set x = 1 returning *) select * from a",
            "with",
        ] {
            assert!(!is_query(sql), "{sql}");
        }
    }

    #[test]
    fn copies_over_the_wire_are_told_by_their_direction() {
        use Direction::{In, Out};
        for (sql, direction) in [
            ("COPY t FROM STDIN", In),
            ("copy t from stdout", In),
            ("copy binary t from stdin", In),
            ("/* to stdout */ copy public.\"to stdout\" (a, b) from stdin with (format csv) where a > 0", In),
            ("COPY (SELECT a FROM stdin) TO STDOUT", Out),
            ("copy t to stdin csv header", Out),
        ] {
            let other = if direction == In { Out } else { In };
            assert!(judge_copy(sql, direction).is_ok(), "{sql}");
            assert!(judge_copy(sql, other).is_err(), "{sql}");
        }
        for sql in [
            "COPY t FROM 'stdin'",
            "COPY t FROM \"stdin\"",
            "COPY t TO PROGRAM 'cat' -- STDOUT",
            "COPY t FROM PROGRAM 'x' WITH (stdin)",
            "SELECT 'copy t from stdin'",
            "SELECT 1 FROM stdin",
            "COPY (SELECT 1 FROM STDIN)",
            "copy t from stdin\0",
            "copy",
            "",
        ] {
            assert!(judge_copy(sql, In).is_err() && judge_copy(sql, Out).is_err(), "{sql}");
        }
        assert_eq!(judge_copy("COPY (SELECT touch()) TO STDOUT", Out), Ok(Trace::Dirty));
        assert_eq!(judge_copy("COPY (SELECT 1) TO STDOUT WITH (FORMAT csv)", Out), Ok(Trace::None));
    }

    #[test]
    fn what_has_its_own_interface_is_refused() {
        for sql in [
            "BEGIN",
            "-- x\n/* y */ start transaction",
            "COMMIT AND CHAIN",
            "end",
            "rollback",
            "abort",
            "prepare transaction 'x'",
            "COPY t FROM STDIN",
            "copy (select 1) to stdout",
            "select 1\0",
        ] {
            assert_eq!(judge(sql).unwrap_err().kind, crate::PgErrorKind::Usage, "{sql}");
        }
    }
}
