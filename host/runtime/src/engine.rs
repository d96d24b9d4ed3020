//! The engine: how components are compiled, and the clock that interrupts them.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::RwLock;
use wasmtime::{CacheStore, Config};

use crate::error::LoadError;

/// How often running guest code is interrupted so that it yields its thread and its budget is looked at.
pub const TICK: Duration = Duration::from_millis(10);

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
        Self::start(&config())
    }

    /// The same for one that compiles a component again and again as it changes: it remembers each function that it
    /// compiled, some 100 MB for an app, and compiles only those that are new. What comes out is the same.
    ///
    /// # Errors
    /// When this machine cannot run one.
    pub fn remembering() -> Result<Self, LoadError> {
        let mut config = config();
        config.enable_incremental_compilation(Arc::<Functions>::default()).map_err(failed)?;
        Self::start(&config)
    }

    fn start(config: &Config) -> Result<Self, LoadError> {
        let inner = wasmtime::Engine::new(config).map_err(failed)?;
        let ticker = Arc::new(Ticker);
        spawn_ticker(inner.weak(), Arc::downgrade(&ticker))?;
        Ok(Self { inner, _ticker: ticker })
    }

    pub(crate) const fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }
}

fn failed(error: wasmtime::Error) -> LoadError {
    LoadError::Engine(format!("{error:#}"))
}

/// Compiled functions by what they were compiled from.
#[derive(Default)]
struct Functions(RwLock<HashMap<Vec<u8>, Vec<u8>>>);

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} functions", self.0.read().len())
    }
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.0.read().get(key).cloned().map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        self.0.write().insert(key.to_owned(), value);
        true
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .epoch_interruption(true)
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
