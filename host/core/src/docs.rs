//! The scripts and styles of the pages that show an app's OpenAPI document, carried inside its component, so that
//! whoever looks at them needs no network but the app's own.
//!
//! A custom section named [`SECTION`] holds a line of JSON that lists the files, and after it their bytes, one after
//! another. The builder writes it, the platform reads it; it comes from a tenant, so it is bounded and checked.

use serde::{Deserialize, Serialize};

use crate::{
    manifest::{ManifestError, count, out_of_bounds},
    section,
};

/// The name of the custom section.
pub const SECTION: &str = "fasterapi:docs";

const MAX_BYTES: usize = 16 << 20;
const MAX_LINE: usize = 4096;
const MAX_FILES: usize = 16;

/// The files of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocsFiles {
    /// Names their content: another version, other files.
    pub version: String,
    /// Names without a folder, and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    version: String,
    /// Names and sizes in bytes.
    files: Vec<(String, usize)>,
}

/// The files of a component; none where its app shows no such pages.
///
/// # Errors
/// Not a component, cut off, two sections, or one that is malformed or out of bounds.
pub fn read(component: &[u8]) -> Result<Option<DocsFiles>, ManifestError> {
    section::find(component, SECTION)?.map(parse).transpose()
}

/// Appends the files to a component that has none yet.
///
/// # Errors
/// Not a component, one that has files already, or files that [`read`] would refuse.
pub fn append(component: &mut Vec<u8>, docs: &DocsFiles) -> Result<(), ManifestError> {
    let files = docs.files.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect();
    let mut data = serde_json::to_vec(&Line { version: docs.version.clone(), files })?;
    data.push(b'\n');
    docs.files.iter().for_each(|(_, bytes)| data.extend_from_slice(bytes));
    parse(&data)?;
    section::append(component, SECTION, &data)
}

fn parse(data: &[u8]) -> Result<DocsFiles, ManifestError> {
    count("size of the docs' files", data.len(), MAX_BYTES)?;
    let end = data.iter().take(MAX_LINE).position(|byte| *byte == b'\n');
    let (line, rest) = end.and_then(|end| data.split_at_checked(end)).unwrap_or((data, &[]));
    let Line { version, files } = serde_json::from_slice(line)?;
    count("number of the docs' files", files.len(), MAX_FILES)?;
    check_name(&version)?;
    let mut rest = rest.get(1..).unwrap_or_default();
    let mut found = Vec::with_capacity(files.len());
    for (name, size) in files {
        check_name(&name)?;
        let cut = || out_of_bounds("docs' file", &name);
        let (bytes, after) = rest.split_at_checked(size).ok_or_else(cut)?;
        rest = after;
        found.push((name, bytes.to_vec()));
    }
    if !rest.is_empty() {
        return Err(out_of_bounds("rest of the docs' files", &rest.len().to_string()));
    }
    Ok(DocsFiles { version, files: found })
}

/// A part of a path that means nothing to anybody.
fn check_name(name: &str) -> Result<(), ManifestError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(out_of_bounds("name of a docs' file", name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn docs(files: &[(&str, &[u8])]) -> DocsFiles {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        DocsFiles { version: "1.2".into(), files }
    }

    #[test]
    fn what_is_appended_is_read_back() {
        let mut component = EMPTY.to_vec();
        assert_eq!(read(&component).unwrap(), None);
        let files = docs(&[("a.js", b"{}\n"), ("b.css", b""), ("c.png", b"\x89\n\n")]);
        append(&mut component, &files).unwrap();
        assert_eq!(read(&component).unwrap(), Some(files));
    }

    #[test]
    fn hostile_files_are_refused() {
        for name in ["", ".", "..", "../a", "a/b", "a b", "é", &"x".repeat(65)] {
            assert!(append(&mut EMPTY.to_vec(), &docs(&[(name, b"")])).is_err(), "{name}");
        }
        for data in [
            &b""[..],
            b"\n",
            b"{}\n",
            br#"{"version":"1","files":[["a",2]]}"#,
            b"{\"version\":\"1\",\"files\":[[\"a\",2]]}\nx",
            b"{\"version\":\"1\",\"files\":[[\"a\",2]]}\nxyz",
            b"{\"version\":\"1\",\"files\":[[\"a\",-1]]}\n",
            b"{\"version\":\"\",\"files\":[]}\n",
        ] {
            assert!(parse(data).is_err(), "{}", data.escape_ascii());
        }
        assert!(append(&mut EMPTY.to_vec(), &docs(&[("a", &b""[..]); 17])).is_err());
        assert!(parse(&vec![b' '; MAX_BYTES + 1]).is_err());
    }
}
