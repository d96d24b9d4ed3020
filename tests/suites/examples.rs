//! The examples' READMEs are programs: each command in them is run, and gives what stands below it.
//!
//! A block of ```` ```console ```` is a terminal. `fasterapi-host serve` runs on while the next blocks talk to it. The
//! address that is shown, a time of the request itself and the headers that `curl -i` adds are not compared.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command, sync::Arc};

use fasterapi_tests::{
    Guest,
    postgres::Postgres,
    process::{self, HostProcess, program, run},
};
use tempfile::TempDir;

const SHOWN: &str = "127.0.0.1:8000";

/// A command of a README and what it says that it prints.
#[derive(Debug)]
struct Step {
    command: String,
    output: Vec<String>,
}

fn steps(readme: &str) -> Vec<Step> {
    let blocks = readme.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push(Step { command: command.to_owned(), output: Vec::new() }),
            None => steps.last_mut().unwrap().output.push(line.to_owned()),
        }
    }
    steps
}

/// A terminal in a copy of an example.
struct Terminal {
    folder: TempDir,
    programs: TempDir,
    /// Of the embedded server, where an example wants that.
    data: TempDir,
    url: String,
    server: Option<HostProcess>,
}

impl Terminal {
    fn open(project: &Path, url: String) -> Self {
        let (folder, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        copy(project, folder.path());
        let data = tempfile::Builder::new().prefix("fpe-").tempdir_in("/tmp").unwrap();
        symlink(process::path(), programs.path().join("fasterapi-host")).unwrap();
        Self { folder, programs, data, url, server: None }
    }

    fn command(&self, text: &str) -> Command {
        let text = match &self.server {
            Some(server) => text.replace(SHOWN, &server.addr.to_string()),
            None => text.to_owned(),
        };
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(
            [self.programs.path().to_owned()].into_iter().chain(std::env::split_paths(&path)),
        );
        let mut command = Command::new("sh");
        for (name, value) in program().get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .args(["-c", &format!("exec {text}")])
            .current_dir(self.folder.path())
            .env("PATH", path.unwrap());
        // What the reader has: port 8000 free, and a database nobody has written to.
        command
            .env("FASTERAPI_ADDR", "127.0.0.1:0")
            .env("DATABASE_URL", &self.url)
            .env("FASTERAPI_PG_DATA", self.data.path())
            .stdin(std::process::Stdio::null());
        command
    }

    async fn perform(&mut self, step: &Step) {
        let command = self.command(&step.command);
        if step.command.starts_with("fasterapi-host serve") {
            let server = HostProcess::start(command).await;
            let said = server.stdout().replace(&server.addr.to_string(), SHOWN);
            assert_eq!(said.lines().collect::<Vec<_>>(), step.output, "{}", step.command);
            self.server = Some(server);
            return;
        }
        let ended = run(command).await;
        assert_eq!(ended.code, Some(0), "{}: {}", step.command, ended.stderr);
        // A command whose output the README leaves out only has to succeed.
        if step.output.is_empty() {
            return;
        }
        let found: Vec<_> = ended.stdout.lines().map(|line| without_times(line.trim_end())).collect();
        let expected: Vec<_> = step.output.iter().map(|line| without_times(line)).collect();
        if step.command.contains(" -i ") {
            assert_eq!(found.get(..expected.len()), Some(expected.as_slice()), "{}", step.command);
        } else {
            assert_eq!(found, expected, "{}", step.command);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

/// A line without the value of `created`.
fn without_times(line: &str) -> String {
    let mut parts = line.split("\"created\":\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "\"created\":\"" + &part[part.find('"').unwrap_or_default()..])
}

/// Does what the README of a project says, and sees that it says the truth.
pub(crate) async fn follow(project: &Path) {
    let postgres: Arc<Postgres> = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    let readme = fs::read_to_string(project.join("README.md")).unwrap();
    let steps = steps(&readme);
    let serves = steps.iter().filter(|step| step.command.starts_with("fasterapi-host serve")).count();
    assert!(serves == 1 && steps.len() > 3, "{steps:?}");
    let mut terminal = Terminal::open(project, postgres.database().await);
    for step in &steps {
        terminal.perform(step).await;
    }
    let (status, _, log) = terminal.server.take().unwrap().stop().await;
    assert!(status.success() && !log.contains("ERROR"), "{log}");
}

#[tokio::test]
async fn hello() {
    follow(&Guest::HELLO.dir()).await;
}

#[tokio::test]
async fn items() {
    follow(&Guest::ITEMS.dir()).await;
}

#[tokio::test]
async fn sqlalchemy_app() {
    follow(&Guest::SQLALCHEMY.dir()).await;
}

#[tokio::test]
async fn websocket() {
    follow(&Guest::WEBSOCKET.dir()).await;
}

#[tokio::test]
async fn platform() {
    follow(&Guest::PLATFORM.dir()).await;
}

#[tokio::test]
async fn starlette_app() {
    follow(&Guest::STARLETTE.dir()).await;
}

/// A guest that no test knows would not be tested.
#[test]
fn every_guest_has_a_name() {
    for top in ["examples", "tests/guests"] {
        for folder in fs::read_dir(fasterapi_tests::guest::repository().join(top)).unwrap().flatten() {
            let folder = format!("{top}/{}", folder.file_name().to_string_lossy());
            assert!(Guest::ALL.iter().any(|guest| guest.folder == folder), "{folder} is not in Guest::ALL");
        }
    }
}
