//! Starting the server's programs under another account.

#![allow(unsafe_code, reason = "what a child does between fork and exec has no safe interface")]

use std::{
    env, io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use rustix::{
    fs::{Mode, OFlags},
    process::Signal,
    thread::UnshareFlags,
};

use super::account::Account;

/// All of the host's environment that the server gets: the rest may hold secrets, or `PG…` settings of its own.
const KEPT: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "TZ"];

/// A command that runs under `account`, in a process group of its own (an interrupt typed at the host's terminal is
/// for the host), and is interrupted when the thread that started it ends.
pub(super) fn command(program: &Path, account: Account) -> Command {
    let mut command = Command::new(program);
    // The host's folder may be closed to the account.
    command.current_dir("/").process_group(0).stdin(Stdio::null()).env_clear();
    command.envs(KEPT.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    if let Account::User { uid, gid } = account {
        command.uid(uid).gid(gid);
    }
    // SAFETY: the closure runs after fork, before exec, and after the change of user (which would undo the death
    // signal). It makes system calls only: rustix's Linux backend neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(move || {
            if account == Account::Namespace {
                enter_namespace()?;
            }
            #[cfg(target_os = "linux")]
            rustix::process::set_parent_process_death_signal(Some(Signal::INT))?;
            Ok(())
        });
    }
    command
}

/// Makes a user namespace in which the caller's user and group are 65534.
fn enter_namespace() -> io::Result<()> {
    // SAFETY: a user namespace takes no memory or file descriptors away from this single-threaded child.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER)? };
    for (file, text) in [
        (c"/proc/self/setgroups", b"deny".as_slice()),
        (c"/proc/self/uid_map", b"65534 0 1"),
        (c"/proc/self/gid_map", b"65534 0 1"),
    ] {
        let file = rustix::fs::open(file, OFlags::WRONLY, Mode::empty())?;
        rustix::io::write(&file, text)?;
    }
    Ok(())
}

/// Whether a program can be run in a user namespace here.
pub(super) fn can_unshare(programs: &Path) -> bool {
    let postgres = programs.join("postgres");
    let output = command(&postgres, Account::Namespace).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}
