//! Which crate may depend on which: a crate uses only crates of lower floors, and a heavy dependency stays in its
//! room. `host/ARCHITECTURE.md` draws the same picture.

use std::collections::BTreeMap;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{shell, show};

const FLOORS: [(&str, u32); 15] = [
    ("fasterapi-core", 0),
    ("fasterapi-router", 1),
    ("fasterapi-telemetry", 1),
    ("fasterapi-bindings", 1),
    ("fasterapi-edge", 2),
    ("fasterapi-postgres", 2),
    ("fasterapi-capabilities", 3),
    ("fasterapi-bridge", 3),
    ("fasterapi-runtime", 4),
    ("fasterapi-platform", 5),
    ("fasterapi-builder", 5),
    ("fasterapi-host", 6),
    ("xtask", 7),
    ("fasterapi-tests", 7),
    ("fasterapi-benches", 7),
];

/// Above the product: tests and benches drive every part with whatever it takes.
const ON_TOP: u32 = 7;

/// Dependencies (a trailing `*` stands for the rest of the name) and the crates that may name them.
const ROOMS: [(&str, &[&str]); 7] = [
    ("wasmtime*", &["fasterapi-bindings", "fasterapi-capabilities", "fasterapi-runtime"]),
    ("hyper*", &["fasterapi-edge"]),
    ("h3*", &["fasterapi-edge"]),
    ("quinn*", &["fasterapi-edge"]),
    ("tokio-postgres", &["fasterapi-postgres"]),
    ("clap", &["fasterapi-host", "xtask"]),
    ("anyhow", &["fasterapi-host", "xtask"]),
];

/// Crates that stay small: what they may not name at all.
const NEVER: [(&str, &[&str]); 2] = [
    ("fasterapi-core", &["tokio*", "hyper*", "wasmtime*"]),
    ("fasterapi-router", &["tokio*", "hyper*", "wasmtime*"]),
];

/// `cargo metadata`, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// None for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
}

/// Checks the workspace.
pub(crate) fn run() -> Result<()> {
    let output =
        shell::cargo(["metadata", "--format-version=1", "--no-deps"]).stderr(Stdio::inherit()).output()?;
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot read `cargo metadata`")?;
    let wrong = violations(&metadata.packages);
    if !wrong.is_empty() {
        bail!("the floors are not kept:\n  {}", wrong.join("\n  "));
    }
    show::line(&format!("floors: {} crates, all in their place", metadata.packages.len()));
    Ok(())
}

fn violations(packages: &[Package]) -> Vec<String> {
    let floors = BTreeMap::from(FLOORS);
    packages.iter().flat_map(|package| check(package, &floors)).collect()
}

fn check(package: &Package, floors: &BTreeMap<&str, u32>) -> Vec<String> {
    let name = package.name.as_str();
    let Some(&floor) = floors.get(name) else {
        return vec![format!("{name} has no floor: give it one in host/xtask/src/floors.rs")];
    };
    // What only its tests use does not end up in the product.
    let used = package.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"));
    used.filter_map(|dependency| check_one(name, floor, &dependency.name, floors)).collect()
}

fn check_one(name: &str, floor: u32, dependency: &str, floors: &BTreeMap<&str, u32>) -> Option<String> {
    if let Some(&below) = floors.get(dependency) {
        return (below >= floor).then(|| format!("{name} (floor {floor}) uses {dependency} (floor {below})"));
    }
    let forbidden = NEVER
        .iter()
        .any(|(crate_name, names)| *crate_name == name && names.iter().any(|n| matches(n, dependency)));
    let room = ROOMS.iter().find(|(pattern, _)| matches(pattern, dependency));
    let outside = room.is_some_and(|(_, allowed)| floor < ON_TOP && !allowed.contains(&name));
    (forbidden || outside).then(|| format!("{name} uses {dependency}, which has another room"))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &[(&str, Option<&str>)]) -> Package {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
        };
        Package { name: name.to_owned(), dependencies: uses.iter().map(dependency).collect() }
    }

    #[test]
    fn downwards_is_allowed_and_sideways_or_upwards_is_not() {
        assert!(violations(&[package("fasterapi-edge", &[("fasterapi-core", None)])]).is_empty());
        let sideways = violations(&[package("fasterapi-edge", &[("fasterapi-postgres", None)])]);
        assert_eq!(sideways, ["fasterapi-edge (floor 2) uses fasterapi-postgres (floor 2)"]);
        assert_eq!(violations(&[package("fasterapi-core", &[("fasterapi-host", None)])]).len(), 1);
    }

    #[test]
    fn a_heavy_dependency_stays_in_its_room() {
        assert!(violations(&[package("fasterapi-runtime", &[("wasmtime-wasi", None)])]).is_empty());
        assert!(violations(&[package("fasterapi-tests", &[("hyper-util", None)])]).is_empty());
        for (name, uses) in
            [("fasterapi-edge", "wasmtime"), ("fasterapi-platform", "hyper"), ("fasterapi-core", "tokio")]
        {
            assert_eq!(violations(&[package(name, &[(uses, None)])]).len(), 1, "{name} uses {uses}");
        }
    }

    #[test]
    fn what_only_tests_use_is_free_and_an_unknown_crate_is_named() {
        assert!(violations(&[package("fasterapi-core", &[("tokio", Some("dev"))])]).is_empty());
        assert!(violations(&[package("newcomer", &[])]).first().unwrap().contains("newcomer has no floor"));
    }
}
