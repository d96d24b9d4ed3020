//! `hashlib.scrypt` and a fast `hashlib.pbkdf2_hmac`: a native module for the components in which something may call them.
//!
//! The rule goes by words alone, so that a user can check it: where the app's Python or a package's has `scrypt` or
//! `pbkdf2_hmac`, the module is there.

use std::fs;
use std::path::Path;

use crate::BuildError;
use crate::wheels::Recipe;

const RECIPE: &str = "fasterapi-kdf";
const WORDS: [&str; 2] = ["scrypt", "pbkdf2_hmac"];

/// How the module is made.
pub(crate) fn recipe() -> Result<Recipe, BuildError> {
    Recipe::named(RECIPE)
}

/// Whether a text has one of the words.
pub(crate) fn named(text: &str) -> bool {
    let part_of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    WORDS.iter().any(|word| {
        text.match_indices(word).any(|(at, _)| {
            let (before, rest) = text.split_at(at);
            let after = rest.strip_prefix(word).unwrap_or_default();
            !before.ends_with(part_of_a_word) && !after.starts_with(part_of_a_word)
        })
    })
}

/// Whether a Python file in the folder, or below, has one of the words.
pub(crate) fn named_in(folder: &Path) -> Result<bool, BuildError> {
    for entry in fs::read_dir(folder).map_err(BuildError::io("read", folder))? {
        let path = entry.map_err(BuildError::io("read", folder))?.path();
        let found = if path.is_dir() {
            named_in(&path)?
        } else if path.extension().is_some_and(|extension| extension == "py") {
            named(&String::from_utf8_lossy(&fs::read(&path).map_err(BuildError::io("read", &path))?))
        } else {
            false
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_word_counts() {
        for text in
            ["hashlib.scrypt(b'', n=2)", "from hashlib import pbkdf2_hmac", "scrypt", "use x or `scrypt`"]
        {
            assert!(named(text), "{text}");
        }
        for text in ["", "import bcrypt", "descrypt()", "scrypt_like", "pbkdf2", "fast_pbkdf2_hmac()"] {
            assert!(!named(text), "{text}");
        }
    }

    #[test]
    fn python_alone_is_read() {
        let site = tempfile::tempdir().unwrap();
        let package = site.path().join("package/inner");
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join("README.md"), "hashlib.scrypt").unwrap();
        assert!(!named_in(site.path()).unwrap());
        fs::write(package.join("security.py"), b"# \xff\nhashlib.scrypt(x)\n").unwrap();
        assert!(named_in(site.path()).unwrap());
    }
}
