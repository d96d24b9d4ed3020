//! The connection service file (PostgreSQL documentation, "The Connection Service File").

use std::path::{Path, PathBuf};

use super::{
    ConfigError, files,
    settings::{Environment, Origin, Settings},
};

/// Adds what the service sets that `settings` names, if it names one. The user's file stands before the system's.
pub(super) fn add(settings: &mut Settings, environment: Environment<'_>) -> Result<(), ConfigError> {
    let setting = |name: &str, variable: &str| {
        settings
            .get(name)
            .map(str::to_owned)
            .or_else(|| environment(variable))
            .filter(|value| !value.is_empty())
    };
    let Some(service) = setting("service", "PGSERVICE") else {
        return Ok(());
    };
    let named = setting("servicefile", "PGSERVICEFILE").map(PathBuf::from);
    let users = files::in_home(environment, ".pg_service.conf");
    let systems = environment("PGSYSCONFDIR").map(|folder| Path::new(&folder).join("pg_service.conf"));
    let mut looked = Vec::new();
    for (path, must_be) in
        [(named.clone(), true), (users.filter(|_| named.is_none()), false), (systems, false)]
    {
        let Some(path) = path else { continue };
        if !must_be && !path.exists() {
            continue;
        }
        let text = files::read_text("service file", &path)?;
        if let Some(section) = section(&text, &service) {
            return set(settings, section, &service, &path);
        }
        looked.push(format!("`{}`", path.display()));
    }
    let place = if looked.is_empty() { "there is no service file".into() } else { looked.join(", ") };
    Err(ConfigError::conflict(
        format!("the service `{service}` is not defined: {place}"),
        "a service file has a section `[name]` with lines `option=value`; name it with `servicefile` or PGSERVICEFILE",
    ))
}

/// The lines of one section, numbered.
fn section<'a>(text: &'a str, service: &str) -> Option<Vec<(usize, &'a str)>> {
    let is_header = |line: &str| line.starts_with('[');
    let mut lines = text.lines().map(str::trim).enumerate();
    lines.find(|(_, line)| line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) == Some(service))?;
    let body = lines.take_while(|(_, line)| !is_header(line));
    Some(body.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect())
}

fn set(
    settings: &mut Settings,
    lines: Vec<(usize, &str)>,
    service: &str,
    path: &Path,
) -> Result<(), ConfigError> {
    let origin = Origin::Service(service.into());
    for (number, line) in lines {
        let failed =
            |reason: &str| ConfigError::file("service file", path, format!("line {} {reason}", number + 1));
        let (name, value) = line.split_once('=').ok_or_else(|| failed("has no `=`"))?;
        if matches!(name, "service" | "servicefile") {
            return Err(failed("names a service within a service"));
        }
        settings.set(name.trim(), value.trim().into(), &origin)?;
    }
    Ok(())
}
