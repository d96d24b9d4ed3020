//! The rest of a response's body, wherever it comes from.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use fasterapi_capabilities::postgres::LentBody;
use http_body::{Body, Frame};

use crate::body::GuestBody;

/// What follows the first part of a response's body. It ends in an error when it broke off. Dropping it before its end ends
/// what it comes from.
pub enum Rest {
    /// The guest writes it.
    Guest(GuestBody),
    /// The host makes it, out of what the guest named; the guest has no part in it any more.
    Lent(LentBody),
}

impl Body for Rest {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Guest(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Lent(body) => {
                let part = std::task::ready!(body.as_mut().poll_next(cx));
                Poll::Ready(part.map(|part| part.map(Frame::data).map_err(Into::into)))
            }
        }
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guest(_) => "Guest",
            Self::Lent(_) => "Lent",
        })
    }
}
