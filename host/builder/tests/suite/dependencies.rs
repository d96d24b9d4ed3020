//! What an app may not depend on, refused by name before anything is built.

use crate::suite::Project;

const APP: &str = "async def app(scope, receive, send): ...\n";

fn refusal_of(requirements: &str) -> String {
    Project::of(&[("main.py", APP), ("requirements.txt", requirements)]).refusal("main:app")
}

#[test]
fn a_native_package_is_refused_by_name_with_what_to_do() {
    assert_eq!(
        refusal_of("numpy>=2\n"),
        "`numpy>=2` needs a native extension that has no WASI build\n\
         hint: remove `numpy`, or add a recipe to guest-sdk/wasi-wheels"
    );
    let text = refusal_of("ujson\n");
    assert!(text.contains("hint: remove `ujson`: use the standard `json`"), "{text}");
}

#[test]
fn a_native_package_that_another_asks_for_names_both() {
    let text = refusal_of("pandas==2.3.3\n");
    assert!(text.starts_with("`pandas==2.3.3` needs a native extension"), "{text}");
    assert_eq!(
        refusal_of("motor==3.7.1\n"),
        "`pymongo<5.0,>=4.9` (needed by motor) needs a native extension that has no WASI build\n\
         hint: do without `motor`, or ask for a version of it that needs no `pymongo`"
    );
}

#[test]
fn a_database_driver_is_pointed_to_the_hosts_own() {
    assert_eq!(
        refusal_of("asyncpg\n"),
        "`asyncpg` cannot work in the sandbox\nhint: use `fasterapi.pg`: the host owns the connections"
    );
}

#[test]
fn a_pin_against_ours_names_both() {
    assert_eq!(
        refusal_of("fastapi==0.100.0\n"),
        "`fastapi==0.100.0` conflicts with `fastapi==0.165.*`, which this version of fasterapi is made for\n\
         hint: allow `fastapi==0.165.*`"
    );
}

#[test]
fn a_source_only_package_is_refused_by_name() {
    let text = refusal_of("docopt==0.6.2\n");
    assert!(text.starts_with("`docopt==0.6.2` is published as source only"), "{text}");
}

#[test]
fn a_version_that_nobody_published_is_refused_by_name() {
    let text = refusal_of("httpx==0.0.987\n");
    assert!(
        text.starts_with("`httpx==0.0.987` is not on the package index, or no version of it fits"),
        "{text}"
    );
}

#[test]
fn a_path_or_a_repository_is_refused() {
    for line in ["-e .\n", "./lib\n", "thing @ git+https://git.invalid/thing\n"] {
        let pyproject = "[build-system]\nrequires = []\nbuild-backend = 'gone'\n";
        let lib = ("lib/pyproject.toml", "[project]\nname = 'lib'\nversion = '1'\n");
        let files = [("main.py", APP), ("requirements.txt", line), ("pyproject.toml", pyproject), lib];
        let text = Project::of(&files).refusal("main:app");
        assert!(text.contains("is not a wheel from a package index"), "{line}: {text}");
    }
}

#[test]
fn a_line_that_is_no_requirement_is_shown() {
    let text = refusal_of("fastapi=>1\n");
    assert!(text.starts_with("`fastapi=>1` is not a requirement that pip can read"), "{text}");
}

#[test]
fn markers_are_evaluated_for_the_guest() {
    // On the machine that builds, both would be asked for the other way round.
    let only_here = "numpy; sys_platform == 'linux' or platform_machine == 'x86_64'\n";
    let in_guest = "ujson; sys_platform == 'wasi' and python_version == '3.14'\n";
    let text = refusal_of(&format!("{only_here}{in_guest}"));
    assert!(text.starts_with("`ujson` needs"), "{text}");
}
