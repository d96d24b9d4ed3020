//! Words of a SQL text, without its comments, strings and quoted names.
//!
//! Follows PostgreSQL's lexical structure (documentation, section 4.1): nested block comments, doubled quotes,
//! backslashes in `E''` strings, dollar quoting. A text that is cut off ends where it ends; the server will say so.

/// One token that matters to a judgement of the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A key word or a plain name, as written.
    Word(&'a str),
    /// A quoted name, without its quotes.
    Quoted(&'a str),
    /// Anything else that is no space: one character.
    Sign(u8),
}

/// A part of a SQL text that is neither space nor comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Token(Token<'a>),
    /// A string, a number or a parameter's number.
    Value,
}

impl<'a> Part<'a> {
    const fn token(self) -> Option<Token<'a>> {
        match self {
            Self::Token(token) => Some(token),
            Self::Value => None,
        }
    }
}

/// The tokens of `sql`.
pub(crate) fn tokens(sql: &str) -> impl Iterator<Item = Token<'_>> {
    Lexer { rest: sql }.filter_map(Part::token)
}

/// The tokens of `sql`, each with the offset in bytes of its end.
pub(crate) fn tokens_to(sql: &str) -> impl Iterator<Item = (Token<'_>, usize)> {
    parts(sql).filter_map(|(part, _, end)| Some((part.token()?, end)))
}

/// The parts of `sql`, each with the offsets in bytes of its start and end.
pub(crate) fn parts(sql: &str) -> impl Iterator<Item = (Part<'_>, usize, usize)> {
    let mut lexer = Lexer { rest: sql };
    std::iter::from_fn(move || {
        lexer.pass_over();
        let start = sql.len() - lexer.rest.len();
        Some((lexer.next()?, start, sql.len() - lexer.rest.len()))
    })
}

struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    /// Cuts `bytes` off the front. `bytes` always ends at a character's border.
    fn cut(&mut self, bytes: usize) -> &'a str {
        let (head, tail) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = tail;
        head
    }

    /// Cuts to just behind the next `end`; what stood before it.
    fn cut_through(&mut self, end: &str) -> &'a str {
        match self.rest.split_once(end) {
            Some((head, tail)) => {
                self.rest = tail;
                head
            }
            None => self.cut(self.rest.len()),
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_u32;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.cut(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.cut(2);
            } else {
                let Some(c) = self.rest.chars().next() else { return };
                self.cut(c.len_utf8());
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Spaces and comments.
    fn pass_over(&mut self) {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '-' if self.rest.starts_with("--") => self.line_comment(),
                '/' if self.rest.starts_with("/*") => self.block_comment(),
                // To the server what is not ASCII is part of a word, spaces too.
                _ if c.is_whitespace() && !in_word(c) => drop(self.cut(c.len_utf8())),
                _ => return,
            }
        }
    }

    /// A line comment ends with its line, and that with either character.
    fn line_comment(&mut self) {
        let end = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
        self.cut(end);
    }

    /// A string behind its opening quote. A doubled quote is two strings side by side: the same words.
    fn string(&mut self) {
        self.cut_through("'");
    }

    /// A string with escapes, behind its opening quote, and those that continue it: they have escapes too.
    fn escaped_string(&mut self) {
        while let Some(at) = self.rest.find(['\'', '\\']) {
            if self.cut(at + 1).ends_with('\\') {
                let escaped = self.rest.chars().next().map_or(0, char::len_utf8);
                self.cut(escaped);
            } else if !self.continues() {
                return;
            }
        }
        self.rest = "";
    }

    /// Goes on behind the next quote if it is a doubled one's second, or that of a string on a later line. (One on the
    /// same line is no continuation, but an error.)
    fn continues(&mut self) -> bool {
        let mut ahead = Self { rest: self.rest };
        while ahead.rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '\u{b}')
            || ahead.rest.starts_with("--")
        {
            if ahead.rest.starts_with("--") {
                ahead.line_comment();
            } else {
                ahead.cut(1);
            }
        }
        let continues = ahead.rest.starts_with('\'');
        if continues {
            ahead.cut(1);
            self.rest = ahead.rest;
        }
        continues
    }

    /// `$tag$…$tag$`; a lone `$` is one too, whose number follows.
    fn dollar(&mut self) {
        let behind = self.rest.get(1..).unwrap_or_default();
        let tag = behind.find(|c: char| !in_word(c) || c == '$').unwrap_or(behind.len());
        let quotes = behind.as_bytes().get(tag) == Some(&b'$')
            && !behind.as_bytes().first().is_some_and(u8::is_ascii_digit);
        if !quotes {
            self.cut(1);
            return;
        }
        let delimiter = self.cut(tag + 2);
        self.cut_through(delimiter);
    }

    fn word(&mut self) -> Part<'a> {
        let end = self.rest.find(|c: char| !in_word(c)).unwrap_or(self.rest.len());
        let word = self.cut(end);
        if self.rest.starts_with('\'') && matches!(word, "e" | "E" | "b" | "B" | "x" | "X" | "n" | "N") {
            self.cut(1);
            match word {
                "e" | "E" => self.escaped_string(),
                _ => self.string(),
            }
            return Part::Value;
        }
        Part::Token(Token::Word(word))
    }

    fn number(&mut self) {
        let end = self.rest.find(|c: char| !in_word(c) && c != '.').unwrap_or(self.rest.len());
        self.cut(end);
    }
}

/// Whether a token is this key word or plain name.
pub(crate) fn is_word(token: Token<'_>, word: &str) -> bool {
    matches!(token, Token::Word(text) if text.eq_ignore_ascii_case(word))
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        self.pass_over();
        let c = self.rest.chars().next()?;
        match c {
            '\'' => {
                self.cut(1);
                self.string();
            }
            '"' => {
                self.cut(1);
                return Some(Part::Token(Token::Quoted(self.cut_through("\""))));
            }
            '$' => self.dollar(),
            '0'..='9' => self.number(),
            _ if in_word(c) => return Some(self.word()),
            _ => {
                self.cut(c.len_utf8());
                return Some(Part::Token(Token::Sign(c as u32 as u8)));
            }
        }
        Some(Part::Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(sql: &str) -> Vec<&str> {
        let word = |token| match token {
            Token::Word(word) => Some(word),
            Token::Quoted(name) => Some(name),
            Token::Sign(_) => None,
        };
        tokens(sql).filter_map(word).collect()
    }

    #[test]
    fn what_is_quoted_or_commented_is_no_word() {
        assert_eq!(words("/* a /* b */ c */ select -- d\n 'e' , 'f''g' , E'h\\'i' , x'00'"), ["select"]);
        assert_eq!(words("do $$ begin $$ and $t$ commit $$ $t$ end"), ["do", "and", "end"]);
        assert_eq!(words("select $1, a$b, 1e5, \"no\", é"), ["select", "a$b", "no", "é"]);
        assert_eq!(words("'open"), [""; 0]);
        assert_eq!(words("/* open"), [""; 0]);
        assert_eq!(words("e'open\\"), [""; 0]);
    }

    /// Where the server begins to read words again, so must this.
    #[test]
    fn a_comment_or_string_ends_where_the_servers_does() {
        assert_eq!(words("-- a\r b -- c\n d"), ["b", "d"]);
        assert_eq!(words("E'a''b\\'', c '"), ["c"]);
        assert_eq!(words("E'a'\n -- x\n 'b\\'', c '"), ["c"]);
        assert_eq!(words("e'a' \u{b}\u{c}\r'b\\'' c"), ["c"]);
        assert_eq!(words("'a\\' b"), ["b"]);
        assert_eq!(words("a\u{a0}b c"), ["a\u{a0}b", "c"], "only ASCII has spaces");
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends(sql in ".{0,200}|[-/*'\"$eE\\\\ a]{0,60}") {
            proptest::prop_assert!(tokens(&sql).count() <= sql.len());
        }
    }
}
