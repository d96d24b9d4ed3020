//! Gathering a flow into pieces of a good size.
//!
//! Small pieces cost a crossing each, large ones keep the taker waiting. So the first piece is small and goes out as
//! soon as anything is there; later ones are filled up, but wait for a server that has nothing more right now only for
//! a moment.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use crate::PgError;

/// What flows.
pub(crate) trait Source {
    /// Adds the next item to `piece`, or nothing of it and an error. None: the end. After the end or an error it is
    /// not asked again.
    fn poll_add(&mut self, piece: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Option<Result<(), PgError>>>;
}

/// Bytes of the first piece: about one read of the socket.
const FIRST: usize = 8 << 10;
/// Bytes of a later piece.
const FULL: usize = 64 << 10;
/// Longest wait for more when there is something: the timer's own grain.
const LINGER: Duration = Duration::from_millis(1);

/// The pieces of a source. Never empty ones.
pub(crate) struct Pieces<S> {
    /// None: it has ended. Dropping it cancels what runs.
    source: Option<S>,
    piece: Vec<u8>,
    /// What ended it, behind the piece.
    failure: Option<PgError>,
    goal: usize,
    /// Longest wait for the server.
    patience: Duration,
    wait: Option<Pin<Box<Sleep>>>,
    /// Whether the wait is on.
    waiting: bool,
}

impl<S: Source> Pieces<S> {
    pub(crate) fn new(source: S, patience: Duration) -> Self {
        Self {
            source: Some(source),
            piece: Vec::new(),
            failure: None,
            goal: FIRST,
            patience,
            wait: None,
            waiting: false,
        }
    }

    /// The next piece. Nothing is lost when the caller stops asking half-way.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>, PgError>>> {
        while let Some(source) = &mut self.source {
            match source.poll_add(&mut self.piece, cx) {
                Poll::Ready(Some(Ok(()))) if self.piece.len() < self.goal => self.waiting = false,
                Poll::Ready(Some(Ok(()))) => return Poll::Ready(Some(Ok(self.take()))),
                Poll::Ready(Some(Err(error))) => {
                    self.source = None;
                    self.failure = Some(error);
                }
                Poll::Ready(None) => self.source = None,
                Poll::Pending => return self.poll_wait(cx).map(Some),
            }
        }
        Poll::Ready(match self.piece.is_empty() {
            false => Some(Ok(self.take())),
            true => self.failure.take().map(Err),
        })
    }

    /// The source has nothing right now.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, PgError>> {
        let empty = self.piece.is_empty();
        if !empty && self.goal == FIRST {
            return Poll::Ready(Ok(self.take()));
        }
        let wait = self.wait.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if !self.waiting {
            self.waiting = true;
            wait.as_mut().reset(Instant::now() + if empty { self.patience } else { LINGER });
        }
        ready!(wait.as_mut().poll(cx));
        if empty {
            self.source = None;
            let patience = self.patience;
            let message = format!("the server gave nothing for {patience:?} and the statement was cancelled");
            return Poll::Ready(Err(PgError::overdue(message)));
        }
        Poll::Ready(Ok(self.take()))
    }

    fn take(&mut self) -> Vec<u8> {
        self.waiting = false;
        self.goal = FULL;
        let more = if self.source.is_some() { FULL + FULL / 8 } else { 0 };
        std::mem::replace(&mut self.piece, Vec::with_capacity(more))
    }
}
