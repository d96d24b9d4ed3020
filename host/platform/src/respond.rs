//! A guest's reply as the edge's response.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use fasterapi_edge::{BoxError, ResponseBody};
use fasterapi_runtime::{Reply, Rest};
use http::Response;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};

pub(crate) fn respond(reply: Reply) -> Response<ResponseBody> {
    let body = match reply.rest {
        None => Full::new(reply.body).map_err(|never| match never {}).boxed_unsync(),
        Some(rest) => {
            let first = Some(reply.body).filter(|first| !first.is_empty());
            Streamed { first, rest }.boxed_unsync()
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// The first part of a body, then the rest as it comes.
struct Streamed {
    first: Option<Bytes>,
    rest: Rest,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        Pin::new(&mut self.rest).poll_frame(cx)
    }
}
