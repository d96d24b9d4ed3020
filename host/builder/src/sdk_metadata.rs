//! What pip would have left beside the SDK: its metadata, by which other packages find its entry points.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use serde::Deserialize;

use crate::BuildError;
use crate::cache::create_folder;

pub(crate) const PYPROJECT: &str = include_str!("../../../guest-sdk/python/pyproject.toml");

#[derive(Deserialize)]
struct Document {
    project: Project,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Project {
    name: String,
    version: String,
    #[serde(default)]
    entry_points: BTreeMap<String, BTreeMap<String, String>>,
}

/// Writes the SDK's `.dist-info` to `site`.
pub(crate) fn write(site: &Path) -> Result<(), BuildError> {
    let reason = |error: toml::de::Error| error.to_string();
    let Document { project } = toml::from_str(PYPROJECT).map_err(|error| BuildError::Project {
        path: "the SDK's pyproject.toml".into(),
        reason: reason(error),
    })?;
    let folder = site.join(format!("{}-{}.dist-info", project.name, project.version));
    create_folder(&folder)?;
    for (name, text) in [("METADATA", metadata(&project)), ("entry_points.txt", entry_points(&project))] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(BuildError::io("write", &path))?;
    }
    Ok(())
}

fn metadata(project: &Project) -> String {
    format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", project.name, project.version)
}

/// As the entry points specification of Python packages has it.
fn entry_points(project: &Project) -> String {
    let mut text = String::new();
    for (group, points) in &project.entry_points {
        let _ = writeln!(text, "[{group}]");
        for (name, object) in points {
            let _ = writeln!(text, "{name} = {object}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_is_found() {
        let site = tempfile::tempdir().unwrap();
        write(site.path()).unwrap();
        let folder = fs::read_dir(site.path()).unwrap().next().unwrap().unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("fasterapi-") && name.ends_with(".dist-info"), "{name}");
        let points = fs::read_to_string(folder.join("entry_points.txt")).unwrap();
        let dialect =
            "[sqlalchemy.dialects]\npostgresql.fasterapi = fasterapi.pg.sqlalchemy:FasterapiDialect\n";
        assert!(points.contains(dialect), "{points}");
    }
}
