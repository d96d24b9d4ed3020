//! Asking a socket whether a server answers behind it.

use std::{
    fs, io,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use super::roles::SUPERUSER;

/// What a socket answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nobody listens.
    Absent,
    /// A server that starts, stops or recovers.
    NotNow,
    /// A server that takes sessions.
    Ready,
}

const PATIENCE: Duration = Duration::from_secs(2);
const TERMINATE: &[u8] = b"X\0\0\0\x04";

/// Logs in as the server's user and goes away.
pub(super) fn probe(socket: &Path) -> Answer {
    match UnixStream::connect(socket) {
        Ok(stream) => log_in(stream).unwrap_or(Answer::NotNow),
        Err(_) => Answer::Absent,
    }
}

fn log_in(mut stream: UnixStream) -> io::Result<Answer> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let body = format!("\0\u{3}\0\0user\0{SUPERUSER}\0database\0postgres\0\0");
    stream.write_all(&(body.len() as u32 + 4).to_be_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    if kind == *b"R" {
        stream.write_all(TERMINATE)?;
        return Ok(Answer::Ready);
    }
    let mut text = Vec::new();
    stream.take(4096).read_to_end(&mut text)?;
    // Any other refusal (too many clients) comes from a server that runs.
    let starting = text.windows(7).any(|window| window == b"C57P03\0");
    Ok(if starting { Answer::NotNow } else { Answer::Ready })
}

/// The process that says it serves one of the data folders in `root`, if it lives.
pub(super) fn postmaster(root: &Path) -> Option<rustix::process::Pid> {
    let folders = fs::read_dir(root).ok()?.flatten();
    let files = folders.filter(|folder| folder.file_name().as_encoded_bytes().starts_with(b"data-"));
    files.filter_map(|folder| pid_in(&folder.path().join("postmaster.pid"))).find(|pid| lives(*pid))
}

fn pid_in(file: &Path) -> Option<rustix::process::Pid> {
    let text = fs::read_to_string(file).ok()?;
    rustix::process::Pid::from_raw(text.lines().next()?.trim().parse().ok().filter(|pid| *pid > 1)?)
}

pub(super) fn lives(pid: rustix::process::Pid) -> bool {
    // Another user's process is one that lives.
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}
