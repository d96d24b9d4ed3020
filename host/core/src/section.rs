//! Custom sections of a component, read and written without a WebAssembly library: a component is an 8-byte preamble
//! and a row of sections, each `id, length as LEB128, contents`, and custom sections have id 0 at any level
//! (the component model's Binary.md; the core specification, section 5.5.2).

use crate::manifest::ManifestError;

const MAGIC: &[u8] = b"\0asm";
const CORE_MODULE: &[u8] = &[0x01, 0x00, 0x00, 0x00];
const COMPONENT: &[u8] = &[0x0d, 0x00, 0x01, 0x00];

/// The contents of the one section of that name; none where there is none.
///
/// Walks the top level only: a section inside a nested component is not this component's.
pub(crate) fn find<'a>(
    component: &'a [u8],
    section: &'static str,
) -> Result<Option<&'a [u8]>, ManifestError> {
    let mut rest = after_preamble(component)?;
    let mut found = None;
    while let Some((&id, after_id)) = rest.split_first() {
        let at = component.len() - rest.len();
        let corrupt = || ManifestError::Corrupt { at };
        let (length, after_length) = read_leb(after_id).ok_or_else(corrupt)?;
        let (contents, next) = after_length.split_at_checked(length).ok_or_else(corrupt)?;
        if id == 0 {
            let (length, name) = read_leb(contents).ok_or_else(corrupt)?;
            let (name, data) = name.split_at_checked(length).ok_or_else(corrupt)?;
            if name == section.as_bytes() && found.replace(data).is_some() {
                return Err(ManifestError::Twice { section });
            }
        }
        rest = next;
    }
    Ok(found)
}

/// Appends a section that the component has not yet.
pub(crate) fn append(
    component: &mut Vec<u8>,
    section: &'static str,
    data: &[u8],
) -> Result<(), ManifestError> {
    if find(component, section)?.is_some() {
        return Err(ManifestError::Twice { section });
    }
    let mut name = Vec::with_capacity(section.len() + 1);
    write_leb(&mut name, section.len());
    name.extend_from_slice(section.as_bytes());
    component.push(0);
    write_leb(component, name.len() + data.len());
    component.extend_from_slice(&name);
    component.extend_from_slice(data);
    Ok(())
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
