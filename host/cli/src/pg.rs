//! `fasterapi-host pg`: the embedded Postgres by hand, and the bridge to a Python process.

use std::process::Command;

use fasterapi_bridge::Grants;
use fasterapi_core::TenantId;
use fasterapi_postgres::embedded::{self, Address, EmbeddedServer};

use crate::{
    args::{PgArgs, PgCommand, PgUser},
    database::{DATABASE, DataFolder, DatabaseChoice, Databases, embedded as start},
    exit::Failure,
    output, status,
};

pub(crate) fn run(args: &PgArgs) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::other)?;
    match &args.command {
        PgCommand::Url { user } => runtime.block_on(url(*user)),
        PgCommand::Bridge => runtime.block_on(bridge()),
        PgCommand::Status(args) => status::run(args),
        PgCommand::Psql { user, args } => {
            let server = runtime.block_on(Server::find())?;
            psql(&server.url(*user), args)
        }
    }
}

/// A server that runs already, or one that runs until this command ends.
enum Server {
    Found(Address),
    Ours(EmbeddedServer),
}

impl Server {
    async fn find() -> Result<Self, Failure> {
        let folder = DataFolder::default();
        match embedded::locate(&folder.0) {
            Some(address) => {
                address.create_database(DATABASE).await.map_err(Failure::other)?;
                Ok(Self::Found(address))
            }
            None => start(folder).await.map(Self::Ours),
        }
    }

    fn url(&self, user: PgUser) -> String {
        let address = match self {
            Self::Found(address) => address,
            Self::Ours(server) => server,
        };
        if user.superuser { address.as_superuser().url(DATABASE) } else { address.url(DATABASE) }
    }
}

/// Lends what `serve` would: `DATABASE_URL`, else the embedded server. Its standard output is the protocol's.
async fn bridge() -> Result<(), Failure> {
    fasterapi_telemetry::start("warn", fasterapi_telemetry::LogFormat::Text).map_err(Failure::input)?;
    let databases = Databases::open_default(DatabaseChoice::default_for(true)).await?;
    let grants = Grants { databases: databases.registry(), tenant: TenantId::default() };
    let served = fasterapi_bridge::serve(grants).await;
    databases.close().await;
    served.map_err(Failure::other)
}

async fn url(user: PgUser) -> Result<(), Failure> {
    let server = Server::find().await?;
    output::line(server.url(user));
    if let Server::Ours(_) = server {
        output::note("the server runs until this command ends: Ctrl-C stops it");
        tokio::signal::ctrl_c().await.map_err(Failure::other)?;
    }
    Ok(())
}

fn psql(url: &str, args: &[String]) -> Result<(), Failure> {
    let status = Command::new("psql").arg(url).args(args).status();
    let status = status.map_err(|error| {
        Failure::other(format!("cannot run psql: {error}\nhint: apt-get install postgresql-client"))
    })?;
    if status.success() { Ok(()) } else { Err(Failure::other(format!("psql ended with {status}"))) }
}
