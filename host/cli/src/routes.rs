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
    let component =
        std::fs::read(path).map_err(|error| Failure::input(format!("cannot read {at}: {error}")))?;
    let manifest = manifest::read(&component).map_err(|error| Failure::input(format!("{at}: {error}")))?;
    manifest.ok_or_else(|| {
        Failure::input(format!("{at} has no manifest\nhint: make it with `fasterapi-host build`"))
    })
}

fn table(manifest: &Manifest) {
    let rows: Vec<_> = manifest.routes.iter().map(row).collect();
    let methods = rows.iter().map(|[methods, ..]| methods.len()).max().unwrap_or(0);
    let paths = rows.iter().map(|[_, path, _]| path.len()).max().unwrap_or(0);
    for [method, path, name] in &rows {
        output::line(format!("{method:methods$}  {path:paths$}  {name}").trim_end());
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
