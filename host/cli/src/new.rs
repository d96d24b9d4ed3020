//! `fasterapi-host new`: a project that works with what is printed next.
//!
//! Its files are those of `examples/`, so that what a new project does is what the examples' tests show.

use std::{fs, io, path::Path};

use crate::{
    args::{NewArgs, Template},
    exit::Failure,
    output,
};

const IGNORED: &str = "*.wasm\n__pycache__/\n.venv/\n";
const LONGEST_NAME: usize = 64;

/// Where an example says which databases it is granted: `dev` and `serve` must be told.
const CONFIG: &str = "host.toml";

/// How the README of a project goes on after that of its example; `DEV` is the command.
const DEVELOP: &str = "
## While you work on it

```sh
DEV
```

serves the app on http://127.0.0.1:8000. A change of a file goes live by itself, in a fraction of a second; requests in flight are
not dropped. When the app does not start, its traceback is in the terminal and in the browser until a change mends it.
";

/// What an example gives to a project.
struct Files {
    /// The example's name, which its README has for a title and its component for a name.
    example: &'static str,
    main: &'static str,
    requirements: &'static str,
    /// What it has beside them, as `(path, text)`.
    more: &'static [(&'static str, &'static str)],
    readme: &'static str,
}

macro_rules! example {
    ($name:literal $(, $more:literal)*) => {
        Files {
            example: $name,
            main: include_str!(concat!("../../../examples/", $name, "/main.py")),
            requirements: include_str!(concat!("../../../examples/", $name, "/requirements.txt")),
            more: &[$(($more, include_str!(concat!("../../../examples/", $name, "/", $more)))),*],
            readme: include_str!(concat!("../../../examples/", $name, "/README.md")),
        }
    };
}

impl Template {
    const fn files(self) -> Files {
        match self {
            Self::Hello => example!("hello"),
            Self::Items => example!("items"),
            Self::Websocket => example!("websocket", "static/chat.html"),
            Self::Platform => example!("platform", "schema.sql", "host.toml"),
        }
    }
}

pub(crate) fn run(args: &NewArgs) -> Result<(), Failure> {
    let name = &args.name;
    check(name)?;
    let folder = Path::new(name);
    if is_taken(folder)? {
        return Err(Failure::input(format!("{name} is there already and not an empty folder")));
    }
    let files = args.template.files();
    let readme = files.readme(name);
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let own = [
        ("main.py", files.main),
        ("requirements.txt", files.requirements),
        ("README.md", &readme),
        (".gitignore", IGNORED),
    ];
    for &(file, text) in own.iter().chain(files.more) {
        let path = folder.join(file);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| failed(parent, &error))?;
        fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    }
    output::line(format_args!("made {name}: the app is {name}/main.py, its README says how to try it"));
    output::line(format_args!("next: {}", files.next(name)));
    Ok(())
}

impl Files {
    fn readme(&self, name: &str) -> String {
        let Self { example, readme, .. } = self;
        let body = readme.trim_start_matches(&format!("# {example}\n"));
        let body = body.replace(&format!("{example}.wasm"), "app.wasm");
        let config = if self.is_configured() { format!(" --config {CONFIG}") } else { String::new() };
        let develop = DEVELOP.replace("DEV", &format!("fasterapi-host dev{config}"));
        format!("# {name}\n{body}{develop}")
    }

    /// What to do next, in the folder that the project's is in.
    fn next(&self, name: &str) -> String {
        let dev = format!("fasterapi-host dev -C {name}");
        if !self.is_configured() {
            return dev;
        }
        format!("make its table as the README says, then {dev} --config {name}/{CONFIG}")
    }

    fn is_configured(&self) -> bool {
        self.more.iter().any(|&(path, _)| path == CONFIG)
    }
}

/// A name that any shell, file system and registry takes as it is.
fn check(name: &str) -> Result<(), Failure> {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if begins && fits && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(Failure::input(format!(
        "`{}` cannot be the name of a project\nhint: a letter, then letters, digits, `-` and `_`; {LONGEST_NAME} at most",
        name.escape_default()
    )))
}

fn is_taken(folder: &Path) -> Result<bool, Failure> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(folder.is_symlink()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(true),
        Err(error) => Err(Failure::input(format!("cannot read {}: {error}", folder.display()))),
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::other(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_with_a_configuration_is_served_with_it() {
        let (hello, platform) = (Template::Hello.files(), Template::Platform.files());
        assert_eq!(hello.next("demo"), "fasterapi-host dev -C demo");
        assert!(hello.readme("demo").contains("\nfasterapi-host dev\n"));
        assert!(platform.next("demo").ends_with("fasterapi-host dev -C demo --config demo/host.toml"));
        assert!(platform.readme("demo").contains("\nfasterapi-host dev --config host.toml\n"));
    }
}
