//! The engine: how components are compiled, and the clock that interrupts them.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use wasmtime::Config;

use crate::error::LoadError;

/// How often running guest code is interrupted so that it yields its thread and its budget is looked at.
pub const TICK: Duration = Duration::from_millis(10);

/// Bytes of native stack for a guest. CPython bounds its recursion by its own stack, in linear memory; with less than
/// this a JSON body of some thousand brackets would trap before Python could refuse it. Pages are taken as they are used.
const GUEST_STACK: usize = 8 << 20;

/// Bytes left for the host's functions that a guest calls.
const HOST_STACK: usize = 1 << 20;

/// A wasmtime engine with its epoch ticker. Cheap to clone; the ticker ends with the last clone.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    _ticker: Arc<Ticker>,
}

struct Ticker;

impl Engine {
    /// Starts an engine and its ticker thread.
    ///
    /// # Errors
    /// When this machine cannot run one.
    pub fn new() -> Result<Self, LoadError> {
        let inner = wasmtime::Engine::new(&config());
        let inner = inner.map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let ticker = Arc::new(Ticker);
        spawn_ticker(inner.weak(), Arc::downgrade(&ticker))?;
        Ok(Self { inner, _ticker: ticker })
    }

    pub(crate) const fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(GUEST_STACK + HOST_STACK)
        // Full reservation and guard: bounds checks are elided (notes/wasmtime: 30-60 % on Python code).
        .memory_reservation(4 << 30)
        .memory_init_cow(true)
        .generate_address_map(true);
    config
}

#[allow(clippy::disallowed_methods, reason = "a thread of its own, whose work is to sleep")]
fn spawn_ticker(engine: wasmtime::EngineWeak, alive: Weak<Ticker>) -> Result<(), LoadError> {
    let tick = move || {
        while alive.strong_count() > 0 {
            std::thread::sleep(TICK);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
        }
    };
    let thread = std::thread::Builder::new().name("epoch-ticker".into()).spawn(tick);
    thread.map(drop).map_err(|error| LoadError::Engine(format!("no thread for the epoch ticker: {error}")))
}
