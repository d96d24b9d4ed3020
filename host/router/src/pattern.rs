//! Reads Starlette's path patterns into literals and parameters.

/// The built-in convertors of `starlette.convertors`, each with its regular expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Param {
    /// `[^/]+`
    Str,
    /// `[0-9]+`
    Int,
    /// `[0-9]+(\.[0-9]+)?`
    Float,
    /// 32 hexadecimal digits with optional dashes in the four usual places.
    Uuid,
    /// `.*`
    Path,
}

impl Param {
    fn named(convertor: &str) -> Option<Self> {
        Some(match convertor {
            "" | "str" => Self::Str,
            "int" => Self::Int,
            "float" => Self::Float,
            "uuid" => Self::Uuid,
            "path" => Self::Path,
            _ => return None,
        })
    }

    /// Whether this parameter's expression matches the whole of one path segment.
    pub(crate) fn accepts(self, segment: &str) -> bool {
        match self {
            Self::Str => !segment.is_empty(),
            Self::Int => digits(segment),
            Self::Float => match segment.split_once('.') {
                Some((whole, fraction)) => digits(whole) && digits(fraction),
                None => digits(segment),
            },
            Self::Uuid => uuid(segment),
            Self::Path => true,
        }
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn uuid(text: &str) -> bool {
    let mut rest = text;
    for (index, group) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let Some((head, tail)) = rest.split_at_checked(group) else { return false };
        if !head.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return false;
        }
        rest = tail;
    }
    rest.is_empty()
}

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    Param(Param),
}

/// A pattern as far as it could be read.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Exactly this sequence; two literals never stand side by side.
    Exact(Vec<Piece>),
    /// Something that begins with this literal; more is not known.
    Opaque { prefix: String },
}

/// Reads a pattern as `compile_path` does: what does not look like `{name}` or `{name:convertor}` is literal.
/// A name given twice, which Starlette refuses, is opaque.
pub(crate) fn parse(pattern: &str) -> Parsed {
    let mut pieces = Vec::new();
    let mut names = Vec::new();
    let mut literal = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('{') {
        let (before, from_brace) = rest.split_at(at);
        literal.push_str(before);
        let Some((name, convertor, after)) = placeholder(from_brace) else {
            literal.push('{');
            rest = from_brace.get(1..).unwrap_or_default();
            continue;
        };
        let param = if names.contains(&name) { None } else { Param::named(convertor) };
        let Some(param) = param else { return opaque(pieces, literal) };
        names.push(name);
        push_literal(&mut pieces, &mut literal);
        pieces.push(Piece::Param(param));
        rest = after;
    }
    literal.push_str(rest);
    push_literal(&mut pieces, &mut literal);
    Parsed::Exact(pieces)
}

/// The literal that everything matching `pieces` begins with.
pub(crate) fn literal_prefix(pieces: &[Piece]) -> &str {
    match pieces.first() {
        Some(Piece::Literal(text)) => text,
        _ => "",
    }
}

fn opaque(pieces: Vec<Piece>, literal: String) -> Parsed {
    let prefix = if pieces.is_empty() { literal } else { literal_prefix(&pieces).to_owned() };
    Parsed::Opaque { prefix }
}

fn push_literal(pieces: &mut Vec<Piece>, literal: &mut String) {
    if !literal.is_empty() {
        pieces.push(Piece::Literal(std::mem::take(literal)));
    }
}

/// `{name}` or `{name:convertor}` at the start of `text`: name, convertor (may be empty), what follows.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = identifier(text.strip_prefix('{')?)?;
    if let Some(after) = rest.strip_prefix('}') {
        return Some((name, "", after));
    }
    let (convertor, rest) = identifier(rest.strip_prefix(':')?)?;
    Some((name, convertor, rest.strip_prefix('}')?))
}

/// `[a-zA-Z_][a-zA-Z0-9_]*` at the start of `text`.
fn identifier(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let starts_with_digit = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    if end == 0 || starts_with_digit { None } else { text.split_at_checked(end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(pattern: &str) -> Vec<Piece> {
        match parse(pattern) {
            Parsed::Exact(pieces) => pieces,
            Parsed::Opaque { prefix } => panic!("{pattern} is opaque after {prefix}"),
        }
    }

    fn literal(text: &str) -> Piece {
        Piece::Literal(text.to_owned())
    }

    #[test]
    fn reads_what_starlette_reads() {
        assert_eq!(exact("/items/{id:int}/x"), [literal("/items/"), Piece::Param(Param::Int), literal("/x")]);
        assert_eq!(
            exact("/{a}-{b:path}"),
            [literal("/"), Piece::Param(Param::Str), literal("-"), Piece::Param(Param::Path)]
        );
        assert_eq!(exact(""), []);
    }

    #[test]
    fn what_is_no_placeholder_is_literal() {
        for pattern in ["/{1a}", "/{a-b}", "/{a", "/a}", "/{}", "/{a:}", "/{a:1}", "/{{"] {
            assert_eq!(exact(pattern), [literal(pattern)]);
        }
        assert_eq!(exact("/{{a}}"), [literal("/{"), Piece::Param(Param::Str), literal("}")]);
    }

    #[test]
    fn unknown_convertors_and_repeated_names_are_opaque() {
        for (pattern, expected) in [("/x/{a:date}/y", "/x/"), ("/{a}/{b:date}", "/"), ("/p/{a}/{a}", "/p/")] {
            assert!(matches!(parse(pattern), Parsed::Opaque { prefix } if prefix == expected), "{pattern}");
        }
    }
}
