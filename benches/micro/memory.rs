//! What an instance adds to the host's memory: pages that it wrote and shares with nobody.

use anyhow::Result;
use fasterapi_benches::{apps, process};
use fasterapi_runtime::{Engine, ImageCache, Template};

use crate::guest::{self, hello, instance};
use crate::suite::Suite;

const INSTANCES: u64 = 32;
const CALLS: u64 = 1000;

/// Makes instances and divides what the process grew by; a line for each stage of their life, a column for each lane.
pub fn measure(suite: &Suite) -> Result<String> {
    if !suite.wants("memory") {
        return Ok(String::new());
    }
    let engine = Engine::new()?;
    let images = ImageCache::open(&apps::cache_folder()?.join("images"))?;
    let app = std::fs::read(apps::component("plain")?)?;
    let template = guest::template(suite, &engine, &images, &app)?;
    let plan = guest::hello_plan(&app)?;
    let [compiled, asgi] = [Some(plan), None].map(|plan| suite.runtime.block_on(stages(&template, plan)));
    let (compiled, asgi) = (compiled?, asgi?);
    let mut lines = vec![
        "| idle warm instance, private dirty memory, KiB | compiled lane | ASGI lane |".to_owned(),
        "|---|--:|--:|".to_owned(),
    ];
    let stages =
        ["after start-up".to_owned(), "after its first answer".to_owned(), format!("after {CALLS} more")];
    let rows = stages.iter().zip(compiled.iter().zip(&asgi));
    lines.extend(rows.map(|(stage, (compiled, asgi))| format!("| {stage} | {compiled} | {asgi} |")));
    Ok(lines.join("\n"))
}

/// The memory of one instance at each stage, in KiB.
async fn stages(template: &Template, plan: Option<u32>) -> Result<[u64; 3]> {
    // What is there once, whatever the number of instances, is not theirs.
    hello(&mut instance(template).await?, plan).await?;
    let before = process::own_memory()?.private_dirty;
    let mut instances = Vec::new();
    for _ in 0..INSTANCES {
        instances.push(instance(template).await?);
    }
    let started = each(before)?;
    for instance in &mut instances {
        hello(instance, plan).await?;
    }
    let first = each(before)?;
    for instance in &mut instances {
        for _ in 0..CALLS {
            hello(instance, plan).await?;
        }
    }
    Ok([started, first, each(before)?])
}

fn each(before: u64) -> Result<u64> {
    Ok(process::own_memory()?.private_dirty.saturating_sub(before) / INSTANCES / 1024)
}
