//! The one table of failures to HTTP answers.
//!
//! What the app let through looks as it does under uvicorn; everything else is a small RFC 9457 problem document.
//! Nothing of the inside is in either: that is in the log.

use bytes::Bytes;
use fasterapi_edge::ResponseBody;
use fasterapi_runtime::{CheckoutError, InvokeError};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

/// Why a request gets no answer from the app.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// The request's body failed; the edge knows why and answers for us.
    #[error("the request's body failed")]
    Body,
}

struct Answer {
    status: StatusCode,
    detail: &'static str,
    retry_after: Option<&'static str>,
}

const fn answer(status: StatusCode, detail: &'static str) -> Answer {
    Answer { status, detail, retry_after: None }
}

const fn later(detail: &'static str) -> Answer {
    Answer { status: StatusCode::SERVICE_UNAVAILABLE, detail, retry_after: Some("1") }
}

impl Refusal {
    fn answer(&self) -> Answer {
        match self {
            Self::Checkout(CheckoutError::Make(_)) => {
                answer(StatusCode::INTERNAL_SERVER_ERROR, "The application could not be started.")
            }
            Self::Checkout(CheckoutError::Closed) => later("The server is shutting down."),
            Self::Checkout(_) => later("The application is busy."),
            Self::Invoke(InvokeError::Deadline { .. } | InvokeError::CpuBudget(_)) => {
                answer(StatusCode::GATEWAY_TIMEOUT, "The application took too long.")
            }
            Self::Invoke(_) => answer(StatusCode::INTERNAL_SERVER_ERROR, "The application failed."),
            Self::Body => answer(StatusCode::BAD_REQUEST, "The request's body could not be read."),
        }
    }

    pub(crate) fn response(&self) -> Response<ResponseBody> {
        if let Self::Invoke(InvokeError::Raised(_)) = self {
            let text = Bytes::from_static(b"Internal Server Error");
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", text);
        }
        let Answer { status, detail, retry_after } = self.answer();
        let title = status.canonical_reason().unwrap_or_default();
        let body = format!(r#"{{"title":"{title}","status":{},"detail":"{detail}"}}"#, status.as_u16());
        let mut response = plain(status, "application/problem+json", body.into());
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }

    /// Says in the log what the client is not told.
    pub(crate) fn log(&self, number: u64, route: &str) {
        match self {
            Self::Invoke(InvokeError::Abandoned) | Self::Body => {
                tracing::debug!(request = number, route, "{self}")
            }
            Self::Checkout(CheckoutError::Saturated | CheckoutError::Closed) => {
                tracing::warn!(request = number, route, "refused: {self}");
            }
            _ => tracing::error!(request = number, route, "{self}"),
        }
    }
}

fn plain(status: StatusCode, kind: &'static str, body: Bytes) -> Response<ResponseBody> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
