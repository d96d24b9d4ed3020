//! The HTTP edge: everything between a socket and the host's request path.
//!
//! **Contract.** [`Edge::bind`] takes a port, [`Edge::serve`] answers HTTP/1.1 and cleartext HTTP/2 (prior
//! knowledge) on it by asking one [`Gateway`], until its [`Shutdown`] drains it. What reaches the gateway is
//! well formed and inside the [`Limits`]; what the gateway answers is made fit for the wire, whatever it says.
//! The edge knows no wasm, no tenants and no routes: it is tested against an echo gateway over real sockets.
//!
//! A client may ask for a WebSocket on HTTP/1.1 ([`websocket`]).
//!
//! **Life of a request here.** accept → sniff (HTTP/1 or 2) → check the head (`h1`) → admit → `Gateway::handle`
//! → finish (framing, compression) → body. A request refused on the way is answered by the edge itself with a
//! small RFC 9457 problem document.
//!
//! hyper parses and frames. What it lets pass and we refuse (bare line feeds, `Content-Length` beside
//! `Transfer-Encoding`, a repeated `Content-Length`, a missing or doubled `Host`, …) is listed in the `h1` module.

mod body;
mod compress;
mod config;
mod connection;
mod deadline;
mod finish;
mod flushes;
mod forwarded;
mod gateway;
mod h1;
mod h2;
mod limits;
mod problem;
mod request_body;
mod server;
mod service;
mod shutdown;
mod socket;
mod state;
pub mod websocket;

pub use compress::Compression;
pub use config::{EdgeConfig, Protocols};
pub use forwarded::{NoProxies, TrustedProxies};
pub use gateway::{BoxError, Gateway, Peer, ResponseBody, Scheme};
pub use limits::Limits;
pub use request_body::{BodyError, RequestBody};
pub use server::{BindError, Bound, DrainReport, Edge};
pub use shutdown::Shutdown;
