//! Words known to leave a session as it is.
//!
//! What is on no list here is taken to change it. The lists hold what is frequent in requests, not all that is harmless:
//! definitions are rare, and may make something temporary without a word of it, by the session's search path.

use crate::lexer::{Token, is_word};

/// Whether `word`, in lower case, begins a command that changes nothing of its session unless it
/// [touches](touches_session) it otherwise.
pub(crate) fn is_harmless_command(word: &str) -> bool {
    COMMANDS.binary_search(&word).is_ok()
}

/// Whether the text makes something temporary, names what acts on the session when it is written to, or calls a function
/// that is not known to be harmless.
pub(crate) fn touches_session<'a>(tokens: impl Iterator<Item = Token<'a>>) -> bool {
    let mut walk = Walk { last: [Token::Sign(b' '); 3], target: false };
    let mut tokens = tokens;
    tokens.any(|token| walk.touches(token))
}

/// The way through a text.
struct Walk<'a> {
    /// The tokens before, the latest first.
    last: [Token<'a>; 3],
    /// Behind INTO stands a table's name, and behind that its columns: no call.
    target: bool,
}

impl<'a> Walk<'a> {
    fn touches(&mut self, token: Token<'a>) -> bool {
        let [before, earlier, _] = self.last;
        let touches = match token {
            Token::Quoted(_) if before == Token::Sign(b'&') && is_word(earlier, "u") => true,
            Token::Word(word) | Token::Quoted(word) if is_temporary(word) || is_settings(word) => true,
            // SELECT INTO makes a table.
            Token::Word(_) if is_word(token, "into") => {
                !is_word(before, "insert") && !is_word(before, "merge")
            }
            Token::Sign(b'(') => !self.target && self.is_call(),
            _ => false,
        };
        match token {
            Token::Word(_) if is_word(token, "into") => self.target = true,
            Token::Sign(b'.') => {}
            Token::Sign(_) => self.target = false,
            Token::Word(_) | Token::Quoted(_) => {
                self.target &= is_word(before, "into") || before == Token::Sign(b'.');
            }
        }
        self.last = [token, before, earlier];
        touches
    }

    /// Whether a parenthesis here is the call of a function that is not known.
    fn is_call(&self) -> bool {
        let [name, dot, schema] = self.last;
        // Of the names on the list only the server's own functions are known.
        let foreign = dot == Token::Sign(b'.') && !is_word(schema, "pg_catalog");
        match name {
            Token::Word(word) => {
                foreign || BEFORE_PARENTHESES.binary_search(&word.to_ascii_lowercase().as_str()).is_err()
            }
            Token::Quoted(_) => true,
            Token::Sign(_) => false,
        }
    }
}

fn is_temporary(word: &str) -> bool {
    let starts = |prefix: &str| word.get(..prefix.len()).is_some_and(|w| w.eq_ignore_ascii_case(prefix));
    word.eq_ignore_ascii_case("temp") || word.eq_ignore_ascii_case("temporary") || starts("pg_temp")
}

/// The view of which an UPDATE acts as SET.
fn is_settings(word: &str) -> bool {
    word.eq_ignore_ascii_case("pg_settings")
}

/// Sorted.
#[rustfmt::skip]
const COMMANDS: &[&str] = &[
    "delete", "insert", "lock", "merge", "notify", "release", "savepoint", "select", "show", "table", "truncate",
    "update", "values", "with",
];

/// Key words, types and built-in functions that may stand before a parenthesis. Sorted.
#[rustfmt::skip]
const BEFORE_PARENTHESES: &[&str] = &[
    "abs", "age", "all", "and", "any", "array", "array_agg", "array_append", "array_length", "array_position",
    "array_remove", "array_to_json", "array_to_string", "as", "avg", "between", "bit", "bit_length", "bool_and",
    "bool_or", "btrim", "by", "bytea", "cardinality", "case", "cast", "ceil", "ceiling", "char", "char_length",
    "character", "chr", "clock_timestamp", "coalesce", "concat", "concat_ws", "conflict", "convert_from", "convert_to",
    "count", "cube", "cume_dist", "current_database", "current_date", "current_schema", "current_setting",
    "current_timestamp", "date", "date_bin", "date_part", "date_trunc", "decimal", "decode", "default", "dense_rank",
    "distinct", "div", "else", "encode", "every", "except", "exists", "exp", "extract", "filter", "first_value",
    "float", "floor", "for", "format", "from", "gen_random_uuid", "generate_series", "generate_subscripts",
    "greatest", "grouping", "having", "ilike", "in", "initcap", "intersect", "interval", "is", "join",
    "json_agg", "json_array_elements", "json_array_elements_text", "json_array_length", "json_build_array",
    "json_build_object", "json_each", "json_each_text", "json_extract_path", "json_extract_path_text",
    "json_object", "json_object_agg", "json_object_keys", "json_populate_record", "json_populate_recordset",
    "json_to_record", "json_to_recordset", "json_typeof", "jsonb_agg", "jsonb_array_elements",
    "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array", "jsonb_build_object", "jsonb_each",
    "jsonb_each_text", "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_insert", "jsonb_object",
    "jsonb_object_agg", "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_query", "jsonb_populate_record",
    "jsonb_populate_recordset", "jsonb_pretty", "jsonb_set", "jsonb_strip_nulls", "jsonb_to_record",
    "jsonb_to_recordset", "jsonb_typeof", "justify_interval", "key", "lag", "last_value", "lateral", "lead", "least",
    "left", "length", "like", "limit", "ln", "localtimestamp", "log", "lower", "lpad", "ltrim", "make_date",
    "make_interval", "make_time", "make_timestamp", "make_timestamptz", "materialized", "max", "md5", "min", "mod",
    "mode", "not", "now", "nth_value", "ntile", "nullif", "num_nulls", "numeric", "octet_length", "offset", "on", "or", "over",
    "overlay", "partition", "percent_rank", "percentile_cont", "percentile_disc", "pg_backend_pid",
    "pg_column_size", "pg_database_size", "pg_get_serial_sequence", "pg_relation_size", "pg_sleep",
    "pg_table_size", "pg_total_relation_size", "pg_typeof", "plainto_tsquery", "position", "power",
    "precision", "primary", "quote_ident", "quote_literal", "quote_nullable", "random", "rank", "regexp_match",
    "regexp_matches", "regexp_replace", "regexp_split_to_array", "regexp_split_to_table", "repeat", "replace",
    "returning", "reverse", "right", "rollup", "round", "row", "row_number", "row_to_json", "rpad", "rtrim", "select",
    "set", "sets", "sha256", "sign", "similar", "some", "split_part", "sqrt",
    "statement_timestamp", "stddev", "string_agg", "string_to_array", "strpos", "substr", "substring", "sum", "then",
    "time", "timestamp", "timestamptz", "timetz", "to_char", "to_date", "to_json", "to_jsonb", "to_number",
    "to_timestamp", "to_tsquery", "to_tsvector", "transaction_timestamp", "translate", "trim", "trunc", "ts_headline",
    "ts_rank", "union", "unique", "unnest", "upper", "using", "values", "varchar", "variance", "varying", "version",
    "websearch_to_tsquery", "when", "where", "width_bucket", "window", "with", "within",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(COMMANDS.is_sorted() && BEFORE_PARENTHESES.is_sorted());
    }
}
