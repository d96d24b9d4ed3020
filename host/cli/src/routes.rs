//! `fasterapi-host routes`.

use std::path::Path;

use fasterapi_core::manifest::{self, Manifest, Route, RouteKind};
use serde_json::json;

use crate::{
    args::{Format, RoutesArgs},
    exit::Failure,
    output,
};

pub(crate) fn run(args: &RoutesArgs) -> Result<(), Failure> {
    let manifest = read(&args.component)?;
    match args.format {
        Format::Table => table(&manifest),
        Format::Json => output::line(json!(manifest.routes)),
    }
    Ok(())
}

fn read(path: &Path) -> Result<Manifest, Failure> {
    let at = path.display();
    let component = std::fs::read(path).map_err(|error| Failure::input(format!("cannot read {at}: {error}")))?;
    let manifest = manifest::read(&component).map_err(|error| Failure::input(format!("{at}: {error}")))?;
    manifest.ok_or_else(|| Failure::input(format!("{at} has no manifest\nhint: make it with `fasterapi-host build`")))
}

fn table(manifest: &Manifest) {
    let rows: Vec<_> = manifest.routes.iter().map(row).collect();
    let width = |column: fn(&[String; 3]) -> &String| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
    let (methods, path) = (width(|row| &row[0]), width(|row| &row[1]));
    for [row_methods, row_path, name] in &rows {
        output::line(format_args!("{row_methods:methods$}  {row_path:path$}  {name}").to_string().trim_end());
    }
}

fn row(route: &Route) -> [String; 3] {
    let methods = match route.kind {
        RouteKind::Websocket => "WEBSOCKET".to_owned(),
        _ if route.methods.is_empty() => "*".to_owned(),
        _ => route.methods.join(","),
    };
    [methods, route.path.clone(), route.name.clone().unwrap_or_default()]
}
