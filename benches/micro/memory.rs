//! What an instance adds to the host's memory: pages that it wrote and shares with nobody.

use anyhow::Result;
use fasterapi_benches::{apps, process};
use fasterapi_runtime::{Engine, ImageCache};

use crate::guest::{self, hello, instance};
use crate::suite::Suite;

const INSTANCES: u64 = 32;
const CALLS: u64 = 1000;

/// Makes instances and divides what the process grew by; a line for each stage of their life.
pub fn measure(suite: &Suite) -> Result<String> {
    if !suite.wants("memory") {
        return Ok(String::new());
    }
    let engine = Engine::new()?;
    let images = ImageCache::open(&apps::cache_folder()?.join("images"))?;
    let template = guest::template(suite, &engine, &images, &std::fs::read(apps::component("plain")?)?)?;
    suite.runtime.block_on(async {
        // What is there once, whatever the number of instances, is not theirs.
        hello(&mut instance(&template).await?).await?;
        let before = process::own_memory()?.private_dirty;
        let mut instances = Vec::new();
        for _ in 0..INSTANCES {
            instances.push(instance(&template).await?);
        }
        let started = each(before)?;
        for instance in &mut instances {
            hello(instance).await?;
        }
        let first = each(before)?;
        for instance in &mut instances {
            for _ in 0..CALLS {
                hello(instance).await?;
            }
        }
        Ok([
            "| idle warm instance, private dirty memory | KiB |".to_owned(),
            "|---|--:|".to_owned(),
            format!("| after start-up | {started} |"),
            format!("| after its first answer | {first} |"),
            format!("| after {CALLS} more | {} |", each(before)?),
        ]
        .join("\n"))
    })
}

fn each(before: u64) -> Result<u64> {
    Ok(process::own_memory()?.private_dirty.saturating_sub(before) / INSTANCES / 1024)
}
