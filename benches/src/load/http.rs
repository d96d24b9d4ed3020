//! Just enough of an HTTP client: one request over a connection of its own (RFC 9112).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Longest silence.
const DEADLINE: Duration = Duration::from_secs(120);
const BUFFER: usize = 64 * 1024;

/// A request's head.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
}

/// Sends a request with `length` bytes of `body`, and writes the answer's body to `sink`. The answer's status.
///
/// # Errors
/// The connection breaks, or the answer's body does not end as its head said.
pub fn exchange(
    addr: SocketAddr,
    head: Head<'_>,
    (body, length): (impl Read, u64),
    sink: &mut impl Write,
) -> Result<u16> {
    let mut stream = TcpStream::connect_timeout(&addr, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let Head { method, path, headers } = head;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    )?;
    let sent = io::copy(&mut body.take(length), &mut stream)?;
    ensure!(sent == length, "the body has {sent} bytes, not {length}");
    answer(&mut BufReader::with_capacity(BUFFER, stream), sink)
}

fn answer(stream: &mut impl BufRead, sink: &mut impl Write) -> Result<u16> {
    let status = line(stream)?.split(' ').nth(1).context("no status")?.parse()?;
    let (mut chunked, mut length) = (false, None);
    loop {
        let header = line(stream)?.to_ascii_lowercase();
        match header.split_once(": ") {
            Some(("transfer-encoding", "chunked")) => chunked = true,
            Some(("content-length", value)) => length = Some(value.parse()?),
            None if header.is_empty() => break,
            _ => {}
        }
    }
    if chunked {
        chunks(stream, sink)?;
    } else if let Some(length) = length {
        piece(stream, length, sink)?;
    } else {
        io::copy(stream, sink)?;
    }
    Ok(status)
}

fn chunks(stream: &mut impl BufRead, sink: &mut impl Write) -> Result<()> {
    loop {
        let size = u64::from_str_radix(&line(stream)?, 16).context("no chunk's size")?;
        piece(stream, size, sink)?;
        ensure!(line(stream)?.is_empty(), "a chunk is longer than its size");
        if size == 0 {
            return Ok(());
        }
    }
}

fn piece(stream: &mut impl BufRead, size: u64, sink: &mut impl Write) -> Result<()> {
    let got = io::copy(&mut stream.take(size), sink)?;
    ensure!(got == size, "the answer was cut off");
    Ok(())
}

fn line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    Ok(line.strip_suffix("\r\n").context("the answer was cut off")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(u16, String)> {
        let mut sink = Vec::new();
        let status = answer(&mut text.as_bytes(), &mut sink)?;
        Ok((status, String::from_utf8(sink)?))
    }

    #[test]
    fn bodies_end_as_their_heads_say() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert_eq!(read(chunked).unwrap(), (200, "abc".into()));
        assert_eq!(read("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nabc").unwrap(), (404, "ab".into()));
        assert_eq!(read("HTTP/1.1 200 OK\r\n\r\nabc").unwrap(), (200, "abc".into()));
    }

    #[test]
    fn a_body_that_is_cut_off_is_an_error() {
        for text in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
