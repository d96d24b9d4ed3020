//! One connection: a line of calls.

use std::io;

use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use crate::{Grants, calls::Calls, wire};

/// Answers the calls of a connection until it closes. What it holds then is dropped.
pub(crate) async fn serve(stream: UnixStream, grants: Grants) {
    if let Err(error) = answer(stream, grants).await {
        tracing::debug!("a connection of the bridge broke: {error}");
    }
}

async fn answer(stream: UnixStream, grants: Grants) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut calls = Calls::new(grants);
    while let Some(frame) = wire::read(&mut reader).await? {
        let answer = tokio::select! {
            biased;
            answer = calls.answer(&frame) => answer,
            () = closed(&mut reader) => return Ok(()),
        };
        let malformed = |_| io::Error::new(io::ErrorKind::InvalidData, "a malformed call");
        writer.write_all(&answer.map_err(malformed)?).await?;
    }
    Ok(())
}

/// Ends when the other side has closed, however long that takes.
async fn closed(reader: &mut (impl AsyncBufRead + Unpin)) {
    match reader.fill_buf().await {
        Ok(ahead) if !ahead.is_empty() => std::future::pending().await,
        _ => {}
    }
}
