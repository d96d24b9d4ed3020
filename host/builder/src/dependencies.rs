//! An app's dependencies, resolved and unpacked for the guest, with the SDK beside them and everything compiled.
//!
//! Two layers, each kept by content: what pip unpacked for a set of requirements, and the `site` folder that a
//! component is made with (the packages, the SDK, and the guest's compiled files).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::{Key, KeyMaker, create_folder};
use crate::command::run;
use crate::component::copy_tree;
use crate::progress::step;
use crate::requirements::Requirements;
use crate::toolchain::WHEELS_OF_THE_GUEST;
use crate::wheels::{self, Recipe, Wheels};
use crate::{BuildError, Unavailable, assets, compiled, kdf};

/// A folder of packages ready to go into components.
#[derive(Debug)]
pub(crate) struct Site {
    /// Read only: builds work on copies.
    pub(crate) folder: PathBuf,
    /// Name to version.
    pub(crate) packages: BTreeMap<String, String>,
    /// Lines for the user about packages that were left out.
    pub(crate) notices: Vec<String>,
}

/// `packages.toml`.
#[derive(Deserialize)]
struct Policy {
    constraints: BTreeMap<String, String>,
    skip: BTreeMap<String, String>,
    /// Name to who does without it, and how.
    spare: BTreeMap<String, BTreeMap<String, String>>,
    refuse: BTreeMap<String, String>,
    instead: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Job<'a> {
    arguments: Vec<String>,
    skip: &'a BTreeMap<String, String>,
    spare: &'a BTreeMap<String, BTreeMap<String, String>>,
    refuse: &'a BTreeMap<String, String>,
    constraints: &'a BTreeMap<String, String>,
    target: &'a Path,
    result: &'a Path,
}

#[derive(Deserialize, Default)]
struct Report {
    ok: bool,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    packages: Vec<Cause>,
    #[serde(default)]
    installed: BTreeMap<String, String>,
    #[serde(default)]
    skipped: Vec<String>,
    #[serde(default)]
    spared: Vec<Asked>,
    /// What newer versions of a package need and cannot have.
    #[serde(default)]
    older: Vec<Asked>,
}

/// A package that another asked for.
#[derive(Deserialize)]
struct Asked {
    name: String,
    by: String,
}

#[derive(Deserialize)]
struct Cause {
    name: String,
    wanted: String,
    by: Option<String>,
    ours: Option<String>,
}

const PACKAGES_FOLDER: &str = "packages";
const REPORT: &str = "report.json";

/// Finds or makes the site folder for a set of requirements.
pub(crate) fn site(wheels: &Wheels<'_>, requirements: &Requirements) -> Result<Site, BuildError> {
    let Wheels { cache, toolchain, progress, .. } = *wheels;
    let policy: Policy = toml::from_str(assets::PACKAGES)
        .map_err(|error| BuildError::Internal(format!("packages.toml is malformed: {error}")))?;
    let unpacked = unpacked(wheels, requirements, &policy)?;
    let packages = unpacked.join(PACKAGES_FOLDER);
    let kdf = kdf::recipe()?;
    let folder = cache.entry("site", &site_key(&packages, &kdf, requirements.derives_keys)?, |folder| {
        let site = folder.join("site");
        copy_tree(&packages, &site)?;
        assets::write_sdk(&site)?;
        if requirements.derives_keys || kdf::named_in(&packages)? {
            wheels.unpack(&kdf, &site)?;
        }
        compiled::site(cache, toolchain, &site, progress)
    })?;
    let report = read_report(&unpacked.join(REPORT))?;
    let notices = policy.notices(&report);
    Ok(Site { folder: folder.join("site"), packages: report.installed, notices })
}

/// Different requirements often come to the same packages: what pip recorded of each file names the content.
fn site_key(packages: &Path, kdf: &Recipe, derives_keys: bool) -> Result<Key, BuildError> {
    let mut records = Vec::new();
    for entry in fs::read_dir(packages).map_err(BuildError::io("read", packages))? {
        let record = entry.map_err(BuildError::io("read", packages))?.path().join("RECORD");
        if record.is_file() {
            records.push(fs::read(&record).map_err(BuildError::io("read", &record))?);
        }
    }
    records.sort();
    let mut key = KeyMaker::default();
    records.iter().for_each(|record| key.add(record));
    key.add(kdf.key().as_str());
    key.add(if derives_keys { "derives keys" } else { "" });
    assets::add_to(&mut key);
    Ok(key.finish())
}

/// What pip unpacks for the requirements.
fn unpacked(
    wheels: &Wheels<'_>,
    requirements: &Requirements,
    policy: &Policy,
) -> Result<PathBuf, BuildError> {
    let mut key = KeyMaker::default().part(assets::PACKAGES).part(assets::INSTALL_SCRIPT);
    requirements.add_to(&mut key);
    wheels::add_to(&mut key, wheels.links)?;
    wheels.cache.entry("packages", &key.finish(), |folder| {
        let target = folder.join(PACKAGES_FOLDER);
        create_folder(&target)?;
        if requirements.is_empty() {
            return write_json(&folder.join(REPORT), &serde_json::json!({"ok": true}));
        }
        let job = Install { wheels, requirements, policy };
        let install =
            || step(wheels.progress, "install the app's dependencies", || install(&job, folder, &target));
        install()?;
        let report = read_report(&folder.join(REPORT))?;
        let placeholders = wheels.missing(|name| report.installed.get(name))?;
        if !placeholders.is_empty() {
            placeholders.iter().try_for_each(|recipe| wheels.ensure(recipe).map(drop))?;
            fs::remove_dir_all(&target).map_err(BuildError::io("remove", &target))?;
            create_folder(&target)?;
            install()?;
        }
        refuse_native_files(&target)
    })
}

struct Install<'a> {
    wheels: &'a Wheels<'a>,
    requirements: &'a Requirements,
    policy: &'a Policy,
}

fn install(job: &Install<'_>, folder: &Path, target: &Path) -> Result<(), BuildError> {
    let Wheels { cache, toolchain, progress, .. } = *job.wheels;
    let scratch = cache.scratch()?;
    let ours = scratch.path().join("wheels");
    create_folder(&ours)?;
    job.wheels.choice(&ours)?;
    let constraints = scratch.path().join("constraints.txt");
    let lines: String =
        job.policy.constraints.iter().map(|(name, version)| format!("{name}{version}\n")).collect();
    fs::write(&constraints, lines).map_err(BuildError::io("write", &constraints))?;
    // The SDK has the name; whoever has it on an index is somebody else.
    let mut skip = job.policy.skip.clone();
    skip.insert("fasterapi".to_owned(), String::new());
    let result = folder.join(REPORT);
    let file = scratch.path().join("job.json");
    let arguments = pip_arguments(job, &ours, target, &constraints);
    let Policy { spare, refuse, constraints, .. } = job.policy;
    write_json(&file, &Job { arguments, skip: &skip, spare, refuse, constraints, target, result: &result })?;
    let mut script = toolchain.script(assets::INSTALL_SCRIPT);
    // Where pip looks for relative paths.
    let folder = job.requirements.file.as_ref().and_then(|file| file.parent()).unwrap_or(scratch.path());
    script.arg(&file).current_dir(folder);
    let outcome = run(&mut script, progress)?;
    refuse_malformed(&outcome.tail)?;
    outcome.success("`pip install` of the app's dependencies")?;
    let report = read_report(&result)?;
    if report.ok { Ok(()) } else { Err(job.policy.explain(&report)) }
}

/// A line that pip cannot read is the app's fault, unlike an index that does not answer.
fn refuse_malformed(output: &str) -> Result<(), BuildError> {
    let Some((_, text)) = output.split_once("ERROR: Invalid requirement: ") else { return Ok(()) };
    Err(BuildError::Dependencies(vec![Unavailable {
        wanted: text.split(": ").next().unwrap_or(text).trim_matches('\'').to_owned(),
        by: None,
        reason: "is not a requirement that pip can read".into(),
        hint: "write `name`, `name==1.2` or `name>=1,<2`".into(),
    }]))
}

fn pip_arguments(job: &Install<'_>, ours: &Path, target: &Path, constraints: &Path) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    let fixed = ["--quiet", "--no-input", "--no-compile"].into_iter().chain(WHEELS_OF_THE_GUEST);
    let mut arguments: Vec<String> = fixed.map(str::to_owned).collect();
    arguments.extend(["--target".into(), path(target), "--find-links".into(), path(ours)]);
    arguments.extend(job.wheels.links.iter().flat_map(|link| ["--find-links".to_owned(), link.clone()]));
    arguments.extend(["--constraint".into(), path(constraints)]);
    if let Some(file) = &job.requirements.file {
        arguments.extend(["--requirement".into(), path(file)]);
    }
    // After `--`, a line of pyproject.toml cannot be an option.
    arguments.push("--".into());
    arguments.extend(job.requirements.lines.iter().cloned());
    arguments
}

impl Policy {
    /// What a user should know of an installation that went well.
    fn notices(&self, report: &Report) -> Vec<String> {
        let skipped = report.skipped.iter().filter_map(|name| {
            let reason = self.skip.get(name)?;
            Some(format!("`{name}` is left out: {reason}"))
        });
        let spared = report.spared.iter().filter_map(|Asked { name, by }| {
            let reason = self.spare.get(name)?.get(by)?;
            Some(format!("`{name}`, which `{by}` asks for, is left out: {reason}"))
        });
        let older = report.older.iter().filter_map(|Asked { name, by }| {
            let version = report.installed.get(by)?;
            Some(format!(
                "`{by}` is {version}: newer versions need `{name}`, which has no WASI build; to be sure of the version, ask for it"
            ))
        });
        skipped.chain(spared).chain(older).collect()
    }

    fn explain(&self, report: &Report) -> BuildError {
        BuildError::Dependencies(
            report.packages.iter().map(|cause| self.explain_one(&report.kind, cause)).collect(),
        )
    }

    fn explain_one(&self, kind: &str, cause: &Cause) -> Unavailable {
        let name = &cause.name;
        let instead = self.instead.get(name).map(|text| format!(": {text}")).unwrap_or_default();
        let (reason, hint) = match kind {
            "refused" => {
                ("cannot work in the sandbox".into(), self.refuse.get(name).cloned().unwrap_or_default())
            }
            "native" => {
                ("needs a native extension that has no WASI build".into(), self.native(cause, &instead))
            }
            "source-only" => (
                "is published as source only, not as a wheel".into(),
                format!("ask for a version of `{name}` that has a wheel, or remove it{instead}"),
            ),
            "direct" => (
                "is not a wheel from a package index".into(),
                "copy its sources into the project's folder, or publish a wheel of it".into(),
            ),
            "conflict" => self.conflict(cause),
            _ => (
                "is not on the package index, or no version of it fits".into(),
                "check the spelling and the version".into(),
            ),
        };
        Unavailable { wanted: cause.wanted.clone(), by: cause.by.clone(), reason, hint }
    }

    fn native(&self, cause: &Cause, instead: &str) -> String {
        let recipes = Recipe::all().unwrap_or_default();
        let Cause { name, by, .. } = cause;
        match (recipes.iter().find(|recipe| recipe.name == *name), by) {
            (Some(Recipe { version, .. }), _) => {
                format!("allow `{name}=={version}`, which can be built for WASI")
            }
            (None, Some(by)) => {
                format!("do without `{by}`, or ask for a version of it that needs no `{name}`{instead}")
            }
            (None, None) => format!("remove `{name}`{instead}, or add a recipe to guest-sdk/wasi-wheels"),
        }
    }

    fn conflict(&self, cause: &Cause) -> (String, String) {
        match &cause.ours {
            Some(ours) => (
                format!("conflicts with `{}{ours}`, which this version of fasterapi is made for", cause.name),
                format!("allow `{}{ours}`", cause.name),
            ),
            None => ("conflicts with the other requirements".into(), "loosen one of them".into()),
        }
    }
}

/// A wheel may call itself pure and still carry a library of another machine; the import would fail at run time.
fn refuse_native_files(folder: &Path) -> Result<(), BuildError> {
    let mut found = Vec::new();
    find_native(folder, folder, &mut found)?;
    if found.is_empty() {
        return Ok(());
    }
    Err(BuildError::Dependencies(found))
}

fn find_native(root: &Path, folder: &Path, found: &mut Vec<Unavailable>) -> Result<(), BuildError> {
    for entry in fs::read_dir(folder).map_err(BuildError::io("read", folder))? {
        let path = entry.map_err(BuildError::io("read", folder))?.path();
        if path.is_dir() {
            find_native(root, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "so" || extension == "pyd")
            && !is_wasm(&path)
        {
            found.push(Unavailable {
                wanted: path.strip_prefix(root).unwrap_or(&path).display().to_string(),
                by: None,
                reason: "is a native library inside a package".into(),
                hint: "remove the package that has it, or add a recipe to guest-sdk/wasi-wheels".into(),
            });
        }
    }
    Ok(())
}

fn is_wasm(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic));
    read.is_ok() && &magic == b"\0asm"
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), BuildError> {
    let text = serde_json::to_vec(value).map_err(|error| BuildError::Internal(error.to_string()))?;
    fs::write(path, text).map_err(BuildError::io("write", path))
}

fn read_report(path: &Path) -> Result<Report, BuildError> {
    let text = fs::read(path).map_err(BuildError::io("read", path))?;
    serde_json::from_slice(&text)
        .map_err(|error| BuildError::Internal(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_or_older_is_told() {
        let policy: Policy = toml::from_str(assets::PACKAGES).unwrap();
        let report: Report = serde_json::from_value(serde_json::json!({
            "ok": true,
            "installed": {"pyjwt": "2.15.1", "authlib": "0.11"},
            "skipped": ["uvicorn", "fasterapi"],
            "spared": [{"name": "cryptography", "by": "pyjwt"}],
            "older": [{"name": "cryptography", "by": "authlib"}, {"name": "x", "by": "gone"}],
        }))
        .unwrap();
        assert_eq!(
            policy.notices(&report),
            [
                "`uvicorn` is left out: the host is the server",
                "`cryptography`, which `pyjwt` asks for, is left out: it signs with HS256, HS384 and HS512 alone here",
                "`authlib` is 0.11: newer versions need `cryptography`, which has no WASI build; to be sure of the version, ask for it",
            ]
        );
    }
}
