//! The files that an app reads while it runs, carried inside its component.
//!
//! A custom section named [`SECTION`] holds one tar archive of regular files. A member's path begins with the number
//! of the folder that it was in while the component was built: `1/` for the app's own, `2/` for its packages
//! (`guest-sdk/python/BUILD_PROTOCOL.md`); a host lends them to instances as `/1` and `/2`, read-only. The archive
//! comes from a tenant: who unpacks it bounds and checks what is in it.

use crate::{manifest::ManifestError, section};

/// The name of the custom section.
pub const SECTION: &str = "fasterapi:files";

/// The largest archive, in bytes. It is not compressed, so what is in it has no more.
pub const MAX_BYTES: usize = 256 << 20;

/// The archive of a component; none where its app brings no files.
///
/// # Errors
/// Not a component, cut off, two archives, or one over [`MAX_BYTES`].
pub fn read(component: &[u8]) -> Result<Option<&[u8]>, ManifestError> {
    section::find(component, SECTION)?.map(bounded).transpose()
}

/// Appends an archive to a component that has none yet.
///
/// # Errors
/// As [`read`].
pub fn append(component: &mut Vec<u8>, archive: &[u8]) -> Result<(), ManifestError> {
    section::append(component, SECTION, bounded(archive)?)
}

fn bounded(archive: &[u8]) -> Result<&[u8], ManifestError> {
    let value = || format!("{} bytes, more than {} MB", archive.len(), MAX_BYTES >> 20);
    let fits = archive.len() <= MAX_BYTES;
    if fits {
        Ok(archive)
    } else {
        Err(ManifestError::OutOfBounds { what: "archive of files", value: value() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn what_is_appended_is_read_back_beside_another_section() {
        let mut component = EMPTY.to_vec();
        assert_eq!(read(&component).unwrap(), None);
        section::append(&mut component, "other", b"x").unwrap();
        append(&mut component, b"archive").unwrap();
        assert_eq!(read(&component).unwrap(), Some(b"archive".as_slice()));
        let text = append(&mut component, b"again").unwrap_err().to_string();
        assert_eq!(text, "the component has two fasterapi:files sections");
    }

    #[test]
    fn too_large_an_archive_is_refused() {
        let text = append(&mut EMPTY.to_vec(), &vec![0; MAX_BYTES + 1]).unwrap_err().to_string();
        assert!(text.contains("more than 256 MB"), "{text}");
    }
}
