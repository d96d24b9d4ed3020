//! The form of a statement: its text without values, comments and spaces, so that all its uses count as one, and
//! nothing of anybody's data gets into a log or a report.

use crate::lexer::{Part, Token, parts};

/// Bytes of a form that are kept. What is longer ends in `…`.
const MAX_BYTES: usize = 500;

/// The form of `sql`: plain names in lower case, `?` for each value and parameter, `?, …` for a list of them.
pub(super) fn fingerprint(sql: &str) -> String {
    let mut form = Form::default();
    let (mut before, mut end) = (None, 0);
    for (part, start, next) in parts(sql) {
        match part {
            Part::Token(token) => form.token(token, start == end),
            // A string's doubled quote, or the `$` of a parameter: one value.
            Part::Value if before == Some(Part::Value) => {}
            Part::Value => form.value(),
        }
        (before, end) = (Some(part), next);
        if form.text.len() > MAX_BYTES {
            return form.cut();
        }
    }
    form.text
}

#[derive(Default)]
struct Form {
    text: String,
    /// How many values stand in a list at its end.
    listed: usize,
    /// A comma behind a value waits for what follows.
    comma: bool,
}

impl Form {
    fn value(&mut self) {
        match (std::mem::take(&mut self.comma), self.listed) {
            (true, 1) => self.text.push_str(", …"),
            (true, _) => {}
            (false, _) => {
                self.listed = 0;
                self.space();
                self.text.push('?');
            }
        }
        self.listed += 1;
    }

    /// Adds a token; `adjoins`: there is nothing between it and the one before.
    fn token(&mut self, token: Token<'_>, adjoins: bool) {
        if token == Token::Sign(b',') && self.listed > 0 && !self.comma {
            self.comma = true;
            return;
        }
        if std::mem::take(&mut self.comma) {
            self.text.push(',');
        }
        self.listed = 0;
        match token {
            Token::Sign(sign) => self.sign(char::from(sign), adjoins),
            Token::Word(word) => {
                self.space();
                self.text.push_str(&word.to_lowercase());
            }
            Token::Quoted(name) => {
                self.space();
                self.text.extend(["\"", name, "\""]);
            }
        }
    }

    fn sign(&mut self, sign: char, adjoins: bool) {
        let is_called = self.text.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | '"'));
        let is_close = match sign {
            ',' | ')' | ']' | '.' | ';' | ':' => true,
            '(' | '[' => is_called,
            _ => adjoins && self.text.ends_with(is_operator),
        };
        if !is_close {
            self.space();
        }
        self.text.push(sign);
    }

    /// A space before what comes next, where one belongs.
    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(['(', '[', '.', ':', ' ']) {
            self.text.push(' ');
        }
    }

    fn cut(mut self) -> String {
        self.text.truncate(self.text.floor_char_boundary(MAX_BYTES));
        self.text.push('…');
        self.text
    }
}

const fn is_operator(sign: char) -> bool {
    matches!(sign, '<' | '>' | '=' | '!' | '|' | '&' | '-' | '+' | '*' | '/' | '~' | '@' | '#' | '%' | '^')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_spaces_and_comments_make_no_difference() {
        let form = "select id, name as \"Name\" from items where id = ? and state in(?, …) limit ?";
        for sql in [
            "SELECT id, name AS \"Name\" FROM items WHERE id = $1 AND state IN ('a', 'b') LIMIT 10",
            "select id,name as \"Name\"\nfrom items -- 'x'\nwhere id=42 and /* a /* b */ */ state in (E'\\'', $$b$$, 1.5) limit $2",
        ] {
            assert_eq!(fingerprint(sql), form);
        }
    }

    #[test]
    fn forms_are_readable() {
        for (sql, form) in [
            ("INSERT INTO a (b, c) VALUES ($1, $2), ($3, $4)", "insert into a(b, c) values(?, …), (?, …)"),
            (
                "SELECT a.*, count(*) FROM a WHERE x->>'k' = $1::text",
                "select a.*, count(*) from a where x ->> ? = ?::text",
            ),
            ("UPDATE t SET a = a + 1, b = 'x' WHERE id = 7;", "update t set a = a + ?, b = ? where id = ?;"),
            ("SELECT 1", "select ?"),
            ("", ""),
            ("SELECT 'it''s'", "select ?"),
        ] {
            assert_eq!(fingerprint(sql), form, "{sql}");
        }
    }

    #[test]
    fn a_long_form_is_cut() {
        let form = fingerprint(&format!("SELECT {}", "é.a + ".repeat(500)));
        assert!(form.len() <= MAX_BYTES + '…'.len_utf8() && form.ends_with('…'));
    }

    proptest::proptest! {
        #[test]
        fn no_value_gets_into_a_form(value in "[a-z]{12}") {
            for sql in [
                format!("SELECT '{value}'"), format!("SELECT E'\\'{value}'"), format!("SELECT $t${value}$t$"),
                format!("SELECT 1 -- {value}"), format!("/* {value} */ SELECT 1"), format!("SELECT '{value}"),
                format!("SELECT 'a''{value}'"), format!("SELECT x'{value}'"),
            ] {
                proptest::prop_assert!(!fingerprint(&sql).contains(&value), "{}", sql);
            }
        }

        #[test]
        fn any_text_has_a_form(sql in ".{0,200}|[-/*'\"$eE\\\\ a,(1]{0,60}") {
            fingerprint(&sql);
        }
    }
}
