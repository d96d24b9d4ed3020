//! The command line. Each flag of a server is also a `FASTERAPI_*` variable.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use clap::{Parser, Subcommand, ValueEnum};
use fasterapi_core::manifest::Isolation;
use fasterapi_edge::TrustedProxies;

use crate::{database::DatabaseChoice, environment, server::MAX_REUSE};

/// Serves Python web apps (FastAPI, Starlette, any ASGI) as sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "fasterapi-host", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a project that works
    New(NewArgs),
    /// Build and serve an app, and put every change of its files live
    Dev(DevArgs),
    /// Make a component from a Python app
    Build(BuildArgs),
    /// Serve a component over HTTP/1.1 and HTTP/2
    Serve(Box<ServeArgs>),
    /// List the routes of a component
    Routes(RoutesArgs),
    /// Work with the embedded Postgres server
    Pg(PgArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// The project's name, and its folder's, which is made here
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it begins with
    #[arg(long, value_enum, default_value_t)]
    pub(crate) template: Template,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Template {
    /// Two routes, no database
    #[default]
    Hello,
    /// Items in Postgres: create, read, change, delete, list
    Items,
    /// A chat room over WebSockets, and its page
    Websocket,
    /// Notes of several tenants: row-level security, a read-only database, limits
    Platform,
}

/// Like `build` and `serve` in one. Requests in flight finish on the version that they began with, and connections
/// stay open. What does not build or start is shown in the terminal, and in the browser until a change mends it; the
/// version before it serves on.
#[derive(Debug, clap::Args)]
pub(crate) struct DevArgs {
    /// The app: a module and a name in it, with `()` behind it if it is a function that makes the app
    #[arg(value_name = "MODULE:ATTR", default_value = "main:app")]
    pub(crate) target: String,
    /// The project's folder
    #[arg(short = 'C', long = "dir", value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Where to listen [default: 127.0.0.1:8000]
    #[arg(long, value_name = "IP:PORT", env = "FASTERAPI_ADDR", value_parser = address)]
    pub(crate) addr: Option<SocketAddr>,
    /// A file that says which databases the app is granted, and how much of each
    #[arg(long, value_name = "FILE", env = "FASTERAPI_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The app's database: `embedded`, a postgres:// URL, or `none` [default: DATABASE_URL, else embedded where the
    /// app uses Postgres]
    #[arg(long, value_name = "embedded|URL|none", env = "FASTERAPI_PG", hide_env_values = true)]
    pub(crate) pg: Option<DatabaseChoice>,
    /// An environment variable of the app; may be repeated
    #[arg(short = 'e', long = "env", value_name = "K=V", value_parser = environment::variable)]
    pub(crate) env: Vec<(String, String)>,
    /// A file of such variables, one a line, as `.env` files are; -e goes before it
    #[arg(long, value_name = "FILE", env = "FASTERAPI_ENV_FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// Which requests may share an instance [default: what the app says, else route]
    #[arg(long, value_enum, env = "FASTERAPI_ISOLATION")]
    pub(crate) isolation: Option<IsolationChoice>,
    /// Instances alive at a time
    #[arg(long, value_name = "N", default_value_t = 128, env = "FASTERAPI_MAX_INSTANCES", value_parser = positive)]
    pub(crate) max_instances: usize,
    /// A folder or address with wheels for WASI, as pip's --find-links; may be repeated
    #[arg(long, value_name = "DIR|URL", env = "FASTERAPI_FIND_LINKS", value_delimiter = ',')]
    pub(crate) find_links: Vec<String>,
    /// What is logged, as in RUST_LOG; the app's own output has the target `app`
    #[arg(long, value_name = "FILTER", default_value = "info", env = "RUST_LOG")]
    pub(crate) log: String,
    /// The form of the log
    #[arg(long, value_enum, default_value_t, env = "FASTERAPI_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// The app is found as `MODULE:ATTR` in the project's folder; its dependencies as listed in the folder's
/// `pyproject.toml` or `requirements.txt`.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The app: a module and a name in it, such as `main:app`, or `main:create_app()` for what a function makes
    #[arg(value_name = "MODULE:ATTR")]
    pub(crate) target: String,
    /// The project's folder
    #[arg(short = 'C', long = "dir", value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Where the component goes
    #[arg(short, long, value_name = "FILE", default_value = "app.wasm")]
    pub(crate) output: PathBuf,
    /// A folder or address with wheels for WASI, as pip's --find-links; may be repeated
    #[arg(long, value_name = "DIR|URL", env = "FASTERAPI_FIND_LINKS", value_delimiter = ',')]
    pub(crate) find_links: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RoutesArgs {
    /// The component
    #[arg(value_name = "COMPONENT")]
    pub(crate) component: PathBuf,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// A table
    #[default]
    Table,
    /// A JSON array, one object a route
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PgArgs {
    #[command(subcommand)]
    pub(crate) command: PgCommand,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Print everything as JSON, times in microseconds
    #[arg(long)]
    pub(crate) json: bool,
    /// How many statements of each database to show, those first that took longest in all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) top: usize,
}

/// As whom the embedded server is used.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct PgUser {
    /// As the server's superuser, who makes roles and extensions, instead of as `fasterapi_app`, the role of the apps
    #[arg(long)]
    pub(crate) superuser: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PgCommand {
    /// Start the embedded server if it is not running, and print its address for psql; it stops with this command,
    /// at Ctrl-C, unless another process had started it
    Url {
        #[command(flatten)]
        user: PgUser,
    },
    /// Lend the database to the Python process that started this command (`fasterapi.pg` outside of a component)
    #[command(hide = true)]
    Bridge,
    /// Show how the pools of this user's running servers stand, and what their statements cost
    Status(StatusArgs),
    /// Open psql on the embedded server
    Psql {
        #[command(flatten)]
        user: PgUser,
        /// Passed on to psql
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// Whether responses are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CompressionChoice {
    /// As the app says: `App(compression=True)`
    #[default]
    App,
    /// Whatever the app says
    On,
    /// Never
    Off,
}

/// Which requests may share an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IsolationChoice {
    /// Those of one route
    Route,
    /// Those of the whole app: what a route keeps in memory, the others find, as long as there is one instance
    App,
}

impl From<IsolationChoice> for Isolation {
    fn from(choice: IsolationChoice) -> Self {
        match choice {
            IsolationChoice::Route => Self::Route,
            IsolationChoice::App => Self::App,
        }
    }
}

/// Which lane serves a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LaneChoice {
    /// Its compiled plan, where it has one; see `fasterapi-host routes`
    #[default]
    Auto,
    /// The app's whole framework, for every route
    Asgi,
}

/// The form of log records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}

/// What `serve` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// The component
    #[arg(value_name = "COMPONENT")]
    pub component: PathBuf,
    /// Where to listen [default: what the app says, else 127.0.0.1:8000; with PORT set, that port on all addresses]
    #[arg(long, value_name = "IP:PORT", env = "FASTERAPI_ADDR", value_parser = address)]
    pub addr: Option<SocketAddr>,
    /// A file that says which databases the app is granted, and how much of each
    #[arg(long, value_name = "FILE", env = "FASTERAPI_CONFIG")]
    pub config: Option<PathBuf>,
    /// The app's database: `embedded`, a postgres:// URL, or `none` [default: DATABASE_URL, else embedded where the
    /// app uses Postgres]
    #[arg(long, value_name = "embedded|URL|none", env = "FASTERAPI_PG", hide_env_values = true)]
    pub pg: Option<DatabaseChoice>,
    /// An environment variable of the app; may be repeated
    #[arg(short = 'e', long = "env", value_name = "K=V", value_parser = environment::variable)]
    pub env: Vec<(String, String)>,
    /// A file of such variables, one a line, as `.env` files are; -e goes before it
    #[arg(long, value_name = "FILE", env = "FASTERAPI_ENV_FILE")]
    pub env_file: Option<PathBuf>,
    /// Which requests may share an instance [default: what the app says, else route]
    #[arg(long, value_enum, env = "FASTERAPI_ISOLATION")]
    pub isolation: Option<IsolationChoice>,
    /// Instances alive at a time
    #[arg(long, value_name = "N", default_value_t = 128, env = "FASTERAPI_MAX_INSTANCES", value_parser = positive)]
    pub max_instances: usize,
    /// Memory of an instance
    #[arg(long, value_name = "SIZE", default_value = "256MiB", env = "FASTERAPI_MAX_INSTANCE_MEMORY")]
    pub max_instance_memory: ByteSize,
    /// Requests that an instance serves before it is replaced; 1 gives every request a fresh one
    #[arg(long, value_name = "N", default_value_t = MAX_REUSE, env = "FASTERAPI_MAX_INSTANCE_REUSE_COUNT",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub max_instance_reuse_count: u64,
    /// WebSockets that an instance serves at a time; beyond it, those of its route get a further instance
    #[arg(long, value_name = "N", default_value_t = 1000, env = "FASTERAPI_MAX_INSTANCE_WEBSOCKETS", value_parser = positive)]
    pub max_instance_websockets: usize,
    /// How long an idle instance is kept
    #[arg(long, value_name = "TIME", default_value = "5m", env = "FASTERAPI_IDLE_INSTANCE_TIMEOUT", value_parser = duration)]
    pub idle_instance_timeout: Duration,
    /// Warm instances kept ready for any route
    #[arg(long, value_name = "N", default_value_t = 1, env = "FASTERAPI_MIN_SPARES")]
    pub min_spares: usize,
    /// How long a request may take until its response begins
    #[arg(long, value_name = "TIME", default_value = "30s", env = "FASTERAPI_REQUEST_TIMEOUT", value_parser = duration)]
    pub request_timeout: Duration,
    /// How long a request may compute; waiting does not count
    #[arg(long, value_name = "TIME", default_value = "10s", env = "FASTERAPI_CPU_TIMEOUT", value_parser = duration)]
    pub cpu_timeout: Duration,
    /// How long the app may take to start
    #[arg(long, value_name = "TIME", default_value = "30s", env = "FASTERAPI_STARTUP_TIMEOUT", value_parser = duration)]
    pub startup_timeout: Duration,
    /// Requests that may wait for an instance
    #[arg(long, value_name = "N", default_value_t = 1024, env = "FASTERAPI_MAX_QUEUE")]
    pub max_queue: usize,
    /// How long a request may wait for an instance
    #[arg(long, value_name = "TIME", default_value = "5s", env = "FASTERAPI_QUEUE_TIMEOUT", value_parser = duration)]
    pub queue_timeout: Duration,
    /// The largest request body
    #[arg(long, value_name = "SIZE", default_value = "16MiB", env = "FASTERAPI_MAX_BODY")]
    pub max_body: ByteSize,
    /// The largest message that a client may send over a WebSocket
    #[arg(long, value_name = "SIZE", default_value = "16MiB", env = "FASTERAPI_MAX_WEBSOCKET_MESSAGE")]
    pub max_websocket_message: ByteSize,
    /// The largest request head
    #[arg(long, value_name = "SIZE", default_value = "32KiB", env = "FASTERAPI_MAX_HEADERS")]
    pub max_headers: ByteSize,
    /// Connections open at a time
    #[arg(long, value_name = "N", default_value_t = 10_000, env = "FASTERAPI_MAX_CONNECTIONS",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: u32,
    /// The proxies that are believed when they name the client (X-Forwarded-For, X-Forwarded-Proto): addresses and
    /// networks with commas between them, `*` for all, or nothing
    #[arg(long, value_name = "LIST", default_value = "127.0.0.1,::1", env = "FORWARDED_ALLOW_IPS")]
    pub forwarded_allow_ips: TrustedProxies,
    /// How long requests in flight may take to finish when the server ends
    #[arg(long, value_name = "TIME", default_value = "30s", env = "FASTERAPI_DRAIN_TIMEOUT", value_parser = duration)]
    pub drain_timeout: Duration,
    /// Whether responses are compressed
    #[arg(long, value_enum, default_value_t, env = "FASTERAPI_COMPRESSION")]
    pub compression: CompressionChoice,
    /// Which lane serves a route
    #[arg(long, value_enum, default_value_t, env = "FASTERAPI_LANE")]
    pub lane: LaneChoice,
    /// What is logged, as in RUST_LOG; the app's own output has the target `app`
    #[arg(long, value_name = "FILTER", default_value = "info", env = "RUST_LOG")]
    pub log: String,
    /// The form of the log
    #[arg(long, value_enum, default_value_t, env = "FASTERAPI_LOG_FORMAT")]
    pub log_format: LogFormat,
}

/// A name but `localhost` is refused: nothing is looked up.
fn address(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("localhost", text));
    let ip = match host {
        "localhost" => [127, 0, 0, 1],
        "" => [0, 0, 0, 0],
        _ => return text.parse().map_err(|_| NO_ADDRESS.into()),
    };
    port.parse().map(|port: u16| (ip, port).into()).map_err(|_| NO_ADDRESS.into())
}

const NO_ADDRESS: &str =
    "it is none of IP:PORT, localhost:PORT, :PORT (all addresses) and PORT (this machine only)";

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let time =
        humantime::parse_duration(text).map_err(|error| format!("{error}; write `30s`, `500ms`, `5m`"))?;
    if time.is_zero() { Err("it is zero".into()) } else { Ok(time) }
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "it is not a number from 1".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn addresses_come_in_four_forms() {
        for (text, addr) in [
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("[::1]:8000", "[::1]:8000"),
            ("localhost:8000", "127.0.0.1:8000"),
            (":8000", "0.0.0.0:8000"),
            ("8000", "127.0.0.1:8000"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert_eq!(address(text), Ok(addr.parse().unwrap()), "{text}");
        }
        for text in
            ["", ":", "localhost", "localhost:", "127.0.0.1", "::1", "example.com:80", "65536", ":http"]
        {
            assert_eq!(address(text), Err(NO_ADDRESS.into()), "{text}");
        }
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(environment::variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(environment::variable("A").is_err() && environment::variable("=b").is_err());
        assert!(duration("5").is_err() && duration("0s").is_err());
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(positive("0").is_err());
    }
}
