//! The bridge alone, for tests of the SDK: it takes the place of `fasterapi-host pg bridge`, and needs no WebAssembly
//! to be compiled. The database is `DATABASE_URL`, else an embedded server in `FASTERAPI_PG_DATA`.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use fasterapi_bridge::{Grants, serve};
use fasterapi_core::{DatabaseAlias, Secret, TenantId};
use fasterapi_postgres::{
    DatabaseConfig, Databases,
    embedded::{EmbeddedConfig, EmbeddedServer},
};
use fasterapi_telemetry::LogFormat;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    fasterapi_telemetry::start("warn", LogFormat::Text)?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments != ["pg", "bridge"] {
        return Err("usage: fasterapi-bridge pg bridge".into());
    }
    let server = match std::env::var("DATABASE_URL") {
        Ok(_) => None,
        Err(_) => Some(embedded()?),
    };
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(lend(server))
}

fn embedded() -> Result<EmbeddedServer, Failure> {
    let data_dir =
        PathBuf::from(std::env::var_os("FASTERAPI_PG_DATA").ok_or("FASTERAPI_PG_DATA is not set")?);
    Ok(EmbeddedServer::start(&EmbeddedConfig { data_dir, extra_bin_dirs: Vec::new() })?)
}

async fn lend(server: Option<EmbeddedServer>) -> Result<(), Failure> {
    const DATABASE: &str = "fasterapi";
    let config = match &server {
        Some(server) => {
            server.create_database(DATABASE).await?;
            server.database(DATABASE).answering_any_url()
        }
        None => DatabaseConfig::from_url(&Secret::new(std::env::var("DATABASE_URL")?))?,
    };
    let tenant = TenantId::default();
    let databases = Databases::builder().grant(tenant.clone(), DatabaseAlias::default(), config).build();
    let grants = Grants { databases: Arc::new(databases), tenant };
    let served = serve(grants.clone()).await;
    grants.databases.close().await;
    Ok(served?)
}
