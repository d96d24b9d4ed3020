//! WebSockets in guests: `fasterapi:websocket` in `wit/`.
//!
//! A route's WebSockets share one instance, its *hub*, as they would share a process: what one handler keeps in the app's
//! memory (the clients of a chat room), the others see. Only a hub that is full has another made beside it ([`hubs`]). A hub is
//! an instance of the pool on loan for as long as it has a WebSocket open ([`hub`]); between two times it is an idle
//! instance of its route as any other, and keeps its memory. What crosses are frames ([`frames`]), in streams with backpressure
//! ([`flows`]).

mod flows;
mod frames;
mod hub;
mod hubs;

use fasterapi_edge::websocket::WebSocket;
use http::HeaderMap;
use tokio::sync::oneshot;

use crate::{
    error::InvokeError,
    head::{Reply, RequestHead},
};

pub(crate) use hub::{Activity, Hub, Room, within_budget};
pub use hubs::{Hubs, HubsError};

/// A WebSocket on its way into a guest.
pub(crate) struct Opening {
    /// The number under which the log knows its request.
    pub(crate) number: u64,
    pub(crate) head: RequestHead,
    pub(crate) socket: WebSocket,
    pub(crate) answer: oneshot::Sender<Result<Answer, InvokeError>>,
}

/// How a guest answered an opening handshake.
pub enum Answer {
    /// It serves the WebSocket. Further headers of the answer.
    Accepted(HeaderMap),
    /// It refused with this.
    Refused(Reply),
}
