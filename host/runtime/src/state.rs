//! What a store holds: one plain struct, everything that an instance carries on the host's side.

use std::sync::Arc;

use fasterapi_capabilities::{
    log::{LogStream, Source, Stream},
    outbound::DenyOutbound,
    postgres::{LentBody, PostgresCtx, PostgresCtxView, PostgresView},
};
use http::HeaderMap;
use wasmtime::{ResourceLimiter, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{limits::InstanceLimits, template::Grants};

/// The data of an instance's store.
pub struct GuestState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: DenyOutbound,
    postgres: PostgresCtx,
    table: ResourceTable,
    memory: MemoryLimit,
    pub(crate) log: Arc<Source>,
}

impl GuestState {
    /// Fails only where the app's files cannot be opened.
    pub(crate) fn new(grants: &Grants, limits: &InstanceLimits) -> wasmtime::Result<Self> {
        let log = Source::new(Arc::clone(&grants.app));
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Ok(Self {
            wasi: wasi(grants, &log)?,
            http: WasiHttpCtx::new(),
            outbound: DenyOutbound,
            postgres: PostgresCtx::new(grants.postgres.clone()),
            table,
            memory: MemoryLimit { allowed: limits.memory, used: 0 },
            log,
        })
    }

    /// Whether the guest still holds what should have gone with its request.
    pub(crate) fn holds_leases(&self) -> bool {
        self.postgres.holds_leases()
    }

    pub(crate) fn take_lent(&mut self, number: u64) -> Option<LentBody> {
        self.postgres.take_lent(number)
    }

    pub(crate) fn bind(&mut self, route: Arc<str>) {
        self.log.bind(Arc::clone(&route));
        self.postgres.bind(route);
    }

    pub(crate) fn begin_request(&mut self, number: u64, headers: &HeaderMap) {
        self.log.serve(number);
        self.postgres.begin_request(headers);
    }

    /// From here on `capacity` WebSockets share the instance: its records name no request, and it may hold as much open as
    /// so many instances.
    pub(crate) fn begin_websockets(&mut self, capacity: usize) {
        self.log.serve(0);
        self.postgres.begin_websockets(capacity);
    }

    /// What the guest says from here on is for no request.
    pub(crate) fn end_request(&mut self) {
        self.log.serve(0);
        self.postgres.end_request();
    }

    pub(crate) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.memory
    }
}

fn wasi(grants: &Grants, log: &Arc<Source>) -> wasmtime::Result<WasiCtx> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(LogStream::new(Arc::clone(log), Stream::Output));
    wasi.stderr(LogStream::new(Arc::clone(log), Stream::Error));
    wasi.envs(&grants.environment);
    // Only the resolver stays off by default; the rest is said here so that a change upstream cannot open it.
    wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
    grants.files.lend(&mut wasi)?;
    Ok(wasi.build())
}

/// Bounds the linear memories of an instance by their sum.
struct MemoryLimit {
    allowed: usize,
    used: usize,
}

const TABLE_ELEMENTS: usize = 1 << 20;

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let Some(used) = self.used.checked_add(desired.saturating_sub(current)) else { return Ok(false) };
        if used > self.allowed {
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

impl PostgresView for GuestState {
    fn postgres(&mut self) -> PostgresCtxView<'_> {
        PostgresCtxView { ctx: &mut self.postgres, table: &mut self.table }
    }
}
