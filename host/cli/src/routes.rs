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
    let mut widths = [0; 4];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let [method_width, path_width, name_width, lane_width] = widths;
    for [method, path, name, lane, reason] in &rows {
        let line = format!(
            "{method:method_width$}  {path:path_width$}  {name:name_width$}  {lane:lane_width$}  {reason}"
        );
        output::line(line.trim_end());
    }
}

/// Methods, path, name, lane, and why it is not the compiled one.
fn row(route: &Route) -> [String; 5] {
    let methods = match route.kind {
        RouteKind::Websocket => "WEBSOCKET".to_owned(),
        _ if route.methods.is_empty() => "*".to_owned(),
        _ => route.methods.join(","),
    };
    let lane = if route.plan.is_some() { "compiled" } else { "asgi" };
    let name = route.name.clone().unwrap_or_default();
    [methods, route.path.clone(), name, lane.to_owned(), route.reason.clone().unwrap_or_default()]
}
