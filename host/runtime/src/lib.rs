//! Running guests: the engine, compiled images, instances, their limits, their pools.
//!
//! From the bottom up: [`Engine`] compiles, [`ImageCache`] keeps what it compiled, [`Template`] is a component
//! checked against what the host lends, [`Maker`] makes warm instances of it (the one seam where the memory
//! strategy lives), [`Pool`] binds them to routes, and an [`Instance`] answers one request at a time.

mod body;
mod compiled;
mod cores;
mod draft;
mod engine;
mod error;
mod files;
mod frames;
mod guard;
mod head;
mod image;
mod instance;
mod limits;
mod maker;
pub mod pool;
mod rest;
mod shelf;
mod state;
mod template;
mod websocket;

pub use body::{GuestBody, RequestBody};
pub use cores::Work;
pub use engine::Engine;
pub use error::{InvokeError, LoadError, MakeError};
pub use files::{FileCache, Files};
pub use head::{Call, PlannedCall, Reply, RequestHead};
pub use image::ImageCache;
pub use instance::{Exchange, Instance};
pub use limits::InstanceLimits;
pub use maker::{Maker, Renewal, WarmMaker};
pub use pool::{Checkout, CheckoutError, Pool, PoolLimits};
pub use rest::Rest;
pub use template::{Grants, Template};
pub use wasmtime::component::Component as Image;
pub use websocket::{Answer, Hubs, HubsError};
