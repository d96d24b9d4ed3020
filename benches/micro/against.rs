//! The warm calls of several builds of the benchmark's app, by turns.
//!
//! A machine whose speed wanders by a factor of two tells nothing of five per cent when one is measured after the other.
//! Here neighbouring slices are compared, of milliseconds each, and the median of their ratios is what counts. Each build
//! has several instances, since one may be lucky with its pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use fasterapi_benches::apps;
use fasterapi_core::manifest::{self, Route};
use fasterapi_runtime::{Engine, ImageCache, Instance};

use crate::guest::{self, REQUESTS, Request};
use crate::suite::Suite;

const INSTANCES: usize = 6;
/// Calls before each slice that are not timed: another build was there.
const WARM_UP: usize = 5;

/// How much of a lane is measured.
#[derive(Clone, Copy)]
struct Slices {
    count: usize,
    calls: usize,
}

const COMPILED: Slices = Slices { count: 200, calls: 200 };
const ASGI: Slices = Slices { count: 60, calls: 40 };

struct Build {
    name: String,
    instances: Vec<Instance>,
    routes: Vec<Route>,
}

/// Compares the app's component, as it is built now, with other builds of it: a table in Markdown.
pub fn run(suite: &Suite, others: &[PathBuf]) -> Result<String> {
    let engine = Engine::new()?;
    let images = ImageCache::open(&apps::cache_folder()?.join("images"))?;
    let now = apps::component("plain")?;
    let files = [("as built now".to_owned(), now.as_path())].into_iter();
    let files = files.chain(others.iter().map(|other| (other.display().to_string(), other.as_path())));
    let builds = files.map(|(name, file)| build(suite, &engine, &images, name, file));
    let mut builds = builds.collect::<Result<Vec<_>>>()?;
    let mut lines =
        vec!["| operation | build | median, µs | to the first |".to_owned(), "|---|---|--:|--:|".to_owned()];
    for request in &REQUESTS {
        lines.extend(lane(suite, &mut builds, request, None)?);
        if let Some(name) = request.compiled {
            lines.extend(lane(suite, &mut builds, request, Some(name))?);
        }
    }
    Ok(lines.join("\n"))
}

fn build(suite: &Suite, engine: &Engine, images: &ImageCache, name: String, file: &Path) -> Result<Build> {
    let component = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let template = guest::template(suite, engine, images, &component)?;
    let instances = (0..INSTANCES).map(|_| suite.runtime.block_on(guest::instance(&template)));
    let instances = instances.collect::<Result<_>>()?;
    let routes = manifest::read(&component)?.map(|manifest| manifest.routes).unwrap_or_default();
    Ok(Build { name, instances, routes })
}

/// One request's lines. `compiled`: its name in the compiled lane.
fn lane(
    suite: &Suite,
    builds: &mut [Build],
    request: &Request,
    compiled: Option<&'static str>,
) -> Result<Vec<String>> {
    let name = compiled.unwrap_or(request.name);
    if !suite.wants(name) {
        return Ok(Vec::new());
    }
    let slices = if compiled.is_some() { COMPILED } else { ASGI };
    let mut times = vec![Vec::with_capacity(slices.count); builds.len()];
    for slice in 0..slices.count {
        // Each is the first by turns.
        for offset in 0..builds.len() {
            let which = (slice + offset) % builds.len();
            let (Some(build), Some(times)) = (builds.get_mut(which), times.get_mut(which)) else { continue };
            let plan = compiled.map(|_| guest::plan(&build.routes, request)).transpose()?;
            let instance = build.instances.get_mut(slice % INSTANCES).context("no instance")?;
            times.push(suite.runtime.block_on(time(instance, request, plan, slices.calls))?);
        }
    }
    let first = times.first().cloned().unwrap_or_default();
    let line = |(build, times): (&Build, &Vec<f64>)| {
        let ratio = median(times.iter().zip(&first).map(|(time, first)| time / first));
        format!("| {name} | {} | {:.2} | {ratio:.3} |", build.name, median(times.iter().copied()))
    };
    Ok(builds.iter().zip(&times).map(line).collect())
}

/// Microseconds a call.
async fn time(instance: &mut Instance, request: &Request, plan: Option<u32>, calls: usize) -> Result<f64> {
    for _ in 0..WARM_UP {
        guest::ask(instance, request, plan).await?;
    }
    let begun = Instant::now();
    for _ in 0..calls {
        guest::ask(instance, request, plan).await?;
    }
    #[allow(clippy::cast_precision_loss, reason = "hundreds")]
    Ok(begun.elapsed().as_secs_f64() * 1e6 / calls as f64)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
