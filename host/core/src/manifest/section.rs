//! The custom section itself, read and written without a WebAssembly library: a component is an 8-byte preamble
//! and a row of sections, each `id, length as LEB128, contents`, and custom sections have id 0 at any level
//! (the component model's Binary.md; the core specification, section 5.5.2).

use super::{MAX_BYTES, Manifest, ManifestError, SECTION};

const MAGIC: &[u8] = b"\0asm";
const CORE_MODULE: &[u8] = &[0x01, 0x00, 0x00, 0x00];
const COMPONENT: &[u8] = &[0x0d, 0x00, 0x01, 0x00];

/// The manifest of a component; none for a component that was not built here.
///
/// Walks the top level only: a manifest inside a nested component is not this component's.
///
/// # Errors
/// Not a component, cut off, or a manifest that is malformed or out of bounds.
pub fn read(component: &[u8]) -> Result<Option<Manifest>, ManifestError> {
    let mut found = None;
    for section in custom_sections(component)? {
        if found.replace(section).is_some() {
            return Err(ManifestError::Twice);
        }
    }
    match found {
        Some(bytes) if bytes.len() > MAX_BYTES => Err(ManifestError::TooLarge { bytes: bytes.len() }),
        Some(bytes) => Manifest::from_json(bytes).map(Some),
        None => Ok(None),
    }
}

/// Appends the manifest to a component that has none yet.
///
/// # Errors
/// Not a component, one that has a manifest already, or a manifest that [`read`] would refuse.
pub fn append(component: &mut Vec<u8>, manifest: &Manifest) -> Result<(), ManifestError> {
    if !custom_sections(component)?.is_empty() {
        return Err(ManifestError::Twice);
    }
    let json = manifest.to_json()?;
    let mut body = Vec::with_capacity(json.len() + SECTION.len() + 1);
    write_leb(&mut body, SECTION.len());
    body.extend_from_slice(SECTION.as_bytes());
    body.extend_from_slice(&json);
    component.push(0);
    write_leb(component, body.len());
    component.extend_from_slice(&body);
    Ok(())
}

/// The contents of the sections named [`SECTION`].
fn custom_sections(component: &[u8]) -> Result<Vec<&[u8]>, ManifestError> {
    let mut rest = after_preamble(component)?;
    let mut found = Vec::new();
    while let Some((&id, after_id)) = rest.split_first() {
        let at = component.len() - rest.len();
        let corrupt = || ManifestError::Corrupt { at };
        let (length, after_length) = read_leb(after_id).ok_or_else(corrupt)?;
        let (contents, next) = after_length.split_at_checked(length).ok_or_else(corrupt)?;
        if id == 0 {
            let (length, name) = read_leb(contents).ok_or_else(corrupt)?;
            let (name, data) = name.split_at_checked(length).ok_or_else(corrupt)?;
            if name == SECTION.as_bytes() {
                found.push(data);
            }
        }
        rest = next;
    }
    Ok(found)
}

fn after_preamble(component: &[u8]) -> Result<&[u8], ManifestError> {
    let rest = component.strip_prefix(MAGIC).ok_or(ManifestError::NotWasm)?;
    if rest.starts_with(CORE_MODULE) {
        return Err(ManifestError::CoreModule);
    }
    rest.strip_prefix(COMPONENT).ok_or(ManifestError::NotWasm)
}

/// A `u32` in LEB128 (core specification, section 5.2.2), at most five bytes.
fn read_leb(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value: u64 = 0;
    for (index, &byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, bytes.get(index + 1..)?));
        }
    }
    None
}

fn write_leb(out: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
