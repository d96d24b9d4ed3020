//! Driving an instance through one request.
//!
//! The call's future is driven by the request itself as long as the request waits for the head. What is left of it
//! then (a streamed body, background tasks), or when the client leaves, goes on in a task of its own: so the plain
//! request needs no task, and a guest is never dropped in the middle of its work without being told.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use fasterapi_runtime::{Call, Checkout, InvokeError, Reply, WarmMaker};
use futures::FutureExt;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

/// Has the instance answer `call`; comes back as soon as the head is there.
/// All that the guest does for the request is within `span`.
pub(crate) async fn invoke(
    checkout: Checkout<WarmMaker>,
    call: Call,
    span: Span,
) -> Result<Reply, InvokeError> {
    let (exchange, head) = oneshot::channel();
    let mut drive = Drive(Some(Box::pin(run(checkout, call, exchange).instrument(span))));
    let mut head = head;
    std::future::poll_fn(|cx| {
        drive.poll(cx);
        head.poll_unpin(cx)
    })
    .await
    .unwrap_or_else(|_| Err(InvokeError::Trapped("the instance ended without an answer".into())))
}

async fn run(
    mut checkout: Checkout<WarmMaker>,
    call: Call,
    exchange: oneshot::Sender<Result<Reply, InvokeError>>,
) {
    let Some(instance) = checkout.instance() else { return };
    match instance.invoke(call, exchange).await {
        Ok(()) => checkout.checkin(),
        Err(error) => tracing::error!("instance discarded: {error}"),
    }
}

struct Drive(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Drive {
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(run) = &mut self.0
            && run.as_mut().poll(cx) == Poll::Ready(())
        {
            self.0 = None;
        }
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        if let Some(run) = self.0.take() {
            tokio::spawn(run);
        }
    }
}
