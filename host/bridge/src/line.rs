//! One connection: a line of calls.

use std::io;

use bytes::BytesMut;
use fasterapi_postgres::PgError;
use futures::TryStreamExt;
use tokio::{io::AsyncWriteExt, net::UnixStream};
use tokio_util::codec::FramedRead;

use crate::{Grants, calls::Calls, failure, wire};

/// The code of the frame that cancels the call under way. It is no call: nothing answers it, and without a call under way it
/// means nothing, since it may meet the answer half-way.
const CANCEL: u8 = 40;

/// Answers the calls of a connection until it closes. What it holds then is dropped.
pub(crate) async fn serve(stream: UnixStream, grants: Grants) {
    if let Err(error) = answer(stream, grants).await {
        tracing::debug!("a connection of the bridge broke: {error}");
    }
}

async fn answer(stream: UnixStream, grants: Grants) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut frames = FramedRead::new(reader, wire::frames());
    let mut calls = Calls::new(grants);
    while let Some(frame) = frames.try_next().await? {
        if cancels(&frame) {
            continue;
        }
        let answer = tokio::select! {
            biased;
            answer = calls.answer(&frame) => answer.map_err(|_| malformed())?,
            next = frames.try_next() => match next? {
                None => return Ok(()),
                Some(frame) if cancels(&frame) => failure::frame(PgError::canceled()).finish(),
                Some(_) => return Err(malformed()),
            },
        };
        writer.write_all(&answer).await?;
    }
    Ok(())
}

fn cancels(frame: &BytesMut) -> bool {
    **frame == [CANCEL]
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a malformed call")
}
