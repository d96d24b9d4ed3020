//! `MODULE:ATTR`, the name of an app inside a project, or `MODULE:ATTR()`, of what makes it.

use std::fmt;
use std::str::FromStr;

use crate::BuildError;

/// Where the app is: a module, and a name in it. Both may be dotted; `()` behind it calls what it names, as gunicorn does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    module: String,
    attr: String,
}

impl Target {
    /// The module's dotted name.
    #[must_use]
    pub fn module(&self) -> &str {
        &self.module
    }

    /// The name in the module, with its `()`.
    #[must_use]
    pub fn attr(&self) -> &str {
        &self.attr
    }
}

impl FromStr for Target {
    type Err = BuildError;

    fn from_str(value: &str) -> Result<Self, BuildError> {
        let wrong = || BuildError::Target { value: value.to_owned() };
        let (module, attr) = value.split_once(':').ok_or_else(wrong)?;
        // `main.py` is a dotted name, and never what is meant.
        let name = attr.strip_suffix("()").unwrap_or(attr);
        if !is_dotted_name(module) || !is_dotted_name(name) || module.ends_with(".py") {
            return Err(wrong());
        }
        Ok(Self { module: module.to_owned(), attr: attr.to_owned() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.module, self.attr)
    }
}

/// Python's identifiers, in spirit: the interpreter decides the rest.
fn is_dotted_name(value: &str) -> bool {
    value.split('.').all(|part| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_and_a_name() {
        let target: Target = "app.main:factory.app".parse().unwrap();
        assert_eq!((target.module(), target.attr()), ("app.main", "factory.app"));
        assert_eq!(target.to_string(), "app.main:factory.app");
        let made: Target = "main:create_app()".parse().unwrap();
        assert_eq!((made.attr(), made.to_string().as_str()), ("create_app()", "main:create_app()"));
    }

    #[test]
    fn anything_else_is_refused_with_what_to_write() {
        for value in [
            "",
            "main",
            "main:",
            ":app",
            "main.py:app",
            "a/b:app",
            "main:app(1)",
            "main:()",
            "main:a()()",
            "main():a",
            "1:a",
            "main:a:b",
            "a..b:c",
        ] {
            let text = value.parse::<Target>().unwrap_err().to_string();
            assert!(text.contains("MODULE:ATTR"), "{value}: {text}");
        }
    }
}
