//! `cargo xtask up`: the main job from a clean clone.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Result, bail};
use clap::Args;

use crate::{check, setup, shell, show};

const EXAMPLE: &str = "examples/items";

#[derive(Args)]
pub(crate) struct Up {
    /// Send requests to the app, check the answers, and stop.
    #[arg(long)]
    check: bool,
    /// Where to listen.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8000")]
    addr: std::net::SocketAddr,
}

impl Up {
    pub(crate) fn run(self) -> Result<ExitCode> {
        setup::builder()?;
        let program = shell::host()?;
        let component = shell::target()?.join("guests/items.wasm");
        let mut build = Command::new(&program);
        build.args(["build", "main:app", "-C"]).arg(shell::root().join(EXAMPLE)).arg("-o").arg(&component);
        shell::run(&mut build)?;
        let mut serve = serve(&program, &component, self.addr);
        if self.check {
            return check::run(&mut serve, self.addr);
        }
        self.announce(&component);
        // In place of this process: signals then reach the server itself.
        let error = serve.exec();
        bail!("cannot run {}: {error}", program.display())
    }

    fn announce(&self, component: &Path) {
        let addr = self.addr;
        show::heading(&format!("serving {} on http://{addr} (Ctrl-C ends it)", component.display()));
        show::line(&format!("    open http://{addr}/docs"));
        show::line(&format!("    or   curl http://{addr}/items"));
    }
}

fn serve(program: &Path, component: &Path, addr: std::net::SocketAddr) -> Command {
    let mut command = Command::new(program);
    command
        .arg("serve")
        .arg(component)
        .args(["--addr", &addr.to_string(), "--pg", "embedded"])
        .stdin(Stdio::null());
    // What a developer's shell says about other databases is not meant for this.
    command.env_remove("DATABASE_URL").env_remove("PORT");
    command
}
