//! `fasterapi-host serve`.

use std::num::NonZeroU32;

use fasterapi_edge::{EdgeConfig, Limits, Shutdown};
use fasterapi_runtime::{InstanceLimits, PoolLimits};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    args::{LogFormat, ServeArgs},
    config::HostConfig,
    environment::variables,
    exit::Failure,
    output,
    server::{Server, ServerConfig},
};

pub(crate) fn run(args: ServeArgs) -> Result<(), Failure> {
    begin_log(&args.log, args.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::other)?;
    let served = runtime.block_on(serve(args));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    served
}

pub(crate) fn begin_log(filter: &str, format: LogFormat) -> Result<(), Failure> {
    let format = match format {
        LogFormat::Text => fasterapi_telemetry::LogFormat::Text,
        LogFormat::Json => fasterapi_telemetry::LogFormat::Json,
    };
    fasterapi_telemetry::start(filter, format).map_err(Failure::input)
}

async fn serve(args: ServeArgs) -> Result<(), Failure> {
    let shutdown = Shutdown::new();
    let mut ends = Ends::listen()?;
    let component = args.component.display().to_string();
    let config = ServerConfig::try_from(args)?;
    let starting =
        Server::start(config, || tracing::info!("compiling {component}: this takes seconds, once"));
    let server = tokio::select! {
        started = starting => started?,
        () = ends.next() => return Ok(()),
    };
    let routes = server.platform().live().manifest().routes.len();
    output::line(format_args!("listening on http://{} ({component}, {routes} routes)", server.addr()));
    let switch = shutdown.clone();
    tokio::spawn(async move {
        ends.next().await;
        tracing::info!("draining: requests in flight finish; a second signal ends them");
        switch.begin();
        ends.next().await;
        switch.force();
    });
    let report = server.run(shutdown).await;
    if report.cut_requests > 0 {
        tracing::warn!("cut {} requests that did not finish in time", report.cut_requests);
    }
    Ok(())
}

/// The signals that end a server.
pub(crate) struct Ends {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Ends {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::other);
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl TryFrom<ServeArgs> for ServerConfig {
    type Error = Failure;

    /// Reads the files that are named.
    fn try_from(args: ServeArgs) -> Result<Self, Failure> {
        let databases = args.config.as_deref().map(HostConfig::read).transpose()?.unwrap_or_default();
        let environment = variables(args.env_file.as_deref(), args.env)?;
        let bytes = |size: bytesize::ByteSize| usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
        let instance = InstanceLimits {
            memory: bytes(args.max_instance_memory),
            cpu: args.cpu_timeout,
            request: args.request_timeout,
            startup: args.startup_timeout,
            ..InstanceLimits::default()
        };
        let pool = PoolLimits {
            max_instances: args.max_instances,
            min_spares: args.min_spares,
            max_spares: args.min_spares.max(PoolLimits::default().max_spares).min(args.max_instances),
            max_waiting: args.max_queue,
            wait: args.queue_timeout,
            max_idle: args.idle_instance_timeout,
        };
        let limits = Limits {
            max_connections: NonZeroU32::new(args.max_connections).unwrap_or(NonZeroU32::MIN),
            header_bytes: u32::try_from(args.max_headers.as_u64()).unwrap_or(u32::MAX),
            body_bytes: args.max_body.as_u64(),
            websocket_message_bytes: bytes(args.max_websocket_message),
            ..Limits::default()
        };
        let edge = EdgeConfig {
            limits,
            trusted_proxies: args.forwarded_allow_ips,
            drain_deadline: args.drain_timeout,
            ..EdgeConfig::default()
        };
        Ok(Self {
            addr: args.addr,
            databases,
            database: args.pg,
            environment,
            isolation: args.isolation.map(Into::into),
            instance,
            pool,
            max_reuse: args.max_instance_reuse_count,
            max_websockets: args.max_instance_websockets,
            edge,
            compression: args.compression,
            lane: args.lane,
            ..Self::new(&args.component)
        })
    }
}
