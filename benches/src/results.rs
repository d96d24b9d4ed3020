//! `RESULTS.md`: written by hand, but for what stands between markers.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::apps;

/// Where the results are.
#[must_use]
pub fn path() -> PathBuf {
    apps::crate_folder().join("RESULTS.md")
}

/// Puts `text` between the markers of `section`: `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
///
/// # Errors
/// The file or the section is not there.
pub fn write(section: &str, text: &str) -> Result<()> {
    let path = path();
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let page = replaced(&page, section, text)
        .with_context(|| format!("{} has no section {section}", path.display()))?;
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

fn replaced(page: &str, section: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- {section}:begin -->\n");
    let end = format!("<!-- {section}:end -->");
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{}\n{end}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_section_changes() {
        let page = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n";
        let new = replaced(page, "x", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb\n");
        assert_eq!(replaced(&new, "x", "old").unwrap(), page);
        assert!(replaced(page, "y", "new").is_none());
    }

    #[test]
    fn the_page_has_every_section() {
        let page = fs::read_to_string(path()).unwrap();
        for section in ["load", "overhead", "postgres", "reload", "micro"] {
            assert!(replaced(&page, section, "").is_some(), "{section}");
        }
    }
}
