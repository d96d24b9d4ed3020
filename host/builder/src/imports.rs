//! What a project's sources import, by their text alone.

use std::collections::BTreeSet;

use crate::kdf;

/// The modules that import statements name, which of the frameworks are among them, and what else a build goes by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Imports {
    /// Dotted names, without relative ones.
    pub(crate) modules: BTreeSet<String>,
    /// `fasterapi` itself: an `App` is a FastAPI app.
    pub(crate) fasterapi: bool,
    /// `fasterapi.pg`.
    pub(crate) postgres: bool,
    pub(crate) fastapi: bool,
    pub(crate) starlette: bool,
    pub(crate) pydantic: bool,
    /// `hashlib`'s functions that derive keys.
    pub(crate) derives_keys: bool,
}

impl Imports {
    /// Notes what a module's text names.
    pub(crate) fn note(&mut self, text: &str) {
        self.derives_keys |= kdf::named(text);
        for line in text.lines().map(str::trim_start) {
            let Some(rest) = line.strip_prefix("from ").or_else(|| line.strip_prefix("import ")) else {
                continue;
            };
            for name in rest.split(" import ").next().unwrap_or(rest).split(',').map(str::trim) {
                self.module(name.split([' ', '#', ';']).next().unwrap_or(name));
            }
            self.postgres |= rest.starts_with("fasterapi import") && rest.contains("pg");
        }
    }

    fn module(&mut self, name: &str) {
        match name.split('.').next().unwrap_or(name) {
            "fasterapi" if name.starts_with("fasterapi.pg") => self.postgres = true,
            "fasterapi" => self.fasterapi = true,
            "fastapi" => self.fastapi = true,
            "starlette" => self.starlette = true,
            "pydantic" => self.pydantic = true,
            _ => {}
        }
        let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
        if name.split('.').all(part) {
            self.modules.insert(name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_read_off_the_text() {
        let mut imports = Imports::default();
        imports.note("import os, pydantic\n    from fasterapi.pg import PgPool\nx = 'import starlette'\n");
        assert!(imports.pydantic && imports.postgres);
        assert!(!imports.fasterapi && !imports.starlette && !imports.fastapi);
        imports.note("from fasterapi import App, Depends\nfrom fastapi.responses import X\n");
        assert!(imports.fasterapi && imports.fastapi);
    }

    #[test]
    fn modules_are_named_whole() {
        let mut imports = Imports::default();
        imports.note("import a.b as c, d # x\nfrom . import e\nfrom .f import g\nfrom h.i import (\nimport j;k\nfrom x y");
        let modules: Vec<_> = imports.modules.iter().map(String::as_str).collect();
        assert_eq!(modules, ["a.b", "d", "h.i", "j", "x"]);
    }
}
