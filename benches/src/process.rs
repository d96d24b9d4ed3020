//! What the kernel knows about processes and cores: CPU time and memory, read from `/proc`.

use std::fs;
use std::ops::{Add, Sub};
use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time, in user code and in the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cpu {
    /// Seconds in user code.
    pub user: f64,
    /// Seconds in the kernel.
    pub system: f64,
}

impl Cpu {
    /// Both together, in seconds.
    #[must_use]
    pub fn total(self) -> f64 {
        self.user + self.system
    }
}

impl Add for Cpu {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { user: self.user + other.user, system: self.system + other.system }
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// Memory, in bytes, of one or more processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Shared pages divided among those who share them.
    pub proportional: u64,
    /// Written pages that nobody shares: what the process really adds to a machine.
    pub private_dirty: u64,
}

/// The processes that descend from `pid`, itself included.
#[must_use]
pub fn tree(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        next += 1;
        found.extend(children(parent));
    }
    found
}

fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The CPU time of `pids`, with that of their children that ended and were waited for.
///
/// # Errors
/// When one of them has ended.
pub fn cpu(pids: &[u32]) -> Result<Cpu> {
    let mut sum = Cpu::default();
    for pid in pids {
        let [utime, stime, cutime, cstime] = stat_times(&format!("/proc/{pid}/stat"))?;
        sum.user += utime + cutime;
        sum.system += stime + cstime;
    }
    Ok(sum)
}

/// `utime stime cutime cstime` of proc_pid_stat(5), fields 14 to 17, in seconds.
fn stat_times(path: &str) -> Result<[f64; 4]> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    // The command's name, in parentheses, may hold anything: what follows the last one is field 3.
    let (_, fields) = text.rsplit_once(')').context("malformed stat")?;
    let mut times = fields.split_whitespace().skip(11).map(|ticks| ticks.parse::<f64>());
    let mut next = || times.next().context("stat is too short")?.context("malformed stat").map(seconds);
    Ok([next()?, next()?, next()?, next()?])
}

fn seconds(ticks: f64) -> f64 {
    ticks / rustix::param::clock_ticks_per_second() as f64
}

/// How long a core has been busy since the machine started.
///
/// # Errors
/// When there is no such core.
pub fn core_busy(core: usize) -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let name = format!("cpu{core} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name)).context("no such core")?;
    let times: Vec<f64> = line.split_whitespace().filter_map(|ticks| ticks.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal (guest times are in user)
    let busy: f64 =
        times.iter().take(8).enumerate().filter(|(n, _)| *n != 3 && *n != 4).map(|(_, t)| t).sum();
    Ok(Duration::from_secs_f64(seconds(busy)))
}

/// The memory of `pids`.
///
/// # Errors
/// When one of them has ended.
pub fn memory(pids: &[u32]) -> Result<Memory> {
    let mut sum = Memory::default();
    for pid in pids {
        let one = rollup(&format!("/proc/{pid}/smaps_rollup"))?;
        sum.proportional += one.proportional;
        sum.private_dirty += one.private_dirty;
    }
    Ok(sum)
}

/// The memory of this process.
///
/// # Errors
/// When `/proc` is not there.
pub fn own_memory() -> Result<Memory> {
    rollup("/proc/self/smaps_rollup")
}

fn rollup(path: &str) -> Result<Memory> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.map(|kilobytes| kilobytes * 1024).with_context(|| format!("{path} has no {name}"))
    };
    Ok(Memory { proportional: field("Pss:")?, private_dirty: field("Private_Dirty:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let own = [std::process::id()];
        let before = cpu(&own).unwrap();
        let pages = std::hint::black_box(vec![1_u8; 64 << 20]);
        let memory_now = memory(&own).unwrap();
        assert!(memory_now.private_dirty > 64 << 20 && memory_now.proportional >= memory_now.private_dirty);
        assert!((cpu(&own).unwrap() - before).total() >= 0.0 && pages.len() == 64 << 20);
    }

    #[test]
    fn children_are_in_the_tree() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(tree(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(cpu(&[child.id()]).is_err());
    }

    #[test]
    fn cores_have_been_busy() {
        assert!(core_busy(0).unwrap() > Duration::ZERO);
        assert!(core_busy(100_000).is_err());
    }
}
