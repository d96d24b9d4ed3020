//! The machine and the versions that a table of numbers belongs to.

use std::fs;
use std::process::Command;

/// Lines of Markdown on the machine: processor, memory, kernel, toolchain.
#[must_use]
pub fn describe() -> String {
    let cores = cores();
    let lines = [
        format!(
            "- processor: {}, {cores} cores{}",
            cpu_model(),
            if is_virtual() { " (virtual)" } else { "" }
        ),
        format!("- memory: {} GiB", memory_kib() / (1 << 20)),
        format!("- kernel: {}", read("/proc/sys/kernel/osrelease")),
        format!("- rustc: {}", output("rustc", &["--version"])),
        format!(
            "- commit: {}",
            output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short", "HEAD"])
        ),
        format!("- date: {}", output("date", &["--utc", "+%Y-%m-%d %H:%M UTC"])),
    ];
    lines.join("\n")
}

/// All of the machine's, not those alone that this process is bound to.
fn cores() -> usize {
    read("/proc/cpuinfo").lines().filter(|line| line.starts_with("processor")).count()
}

fn cpu_model() -> String {
    field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into())
}

fn is_virtual() -> bool {
    field("/proc/cpuinfo", "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"))
}

fn memory_kib() -> u64 {
    let total = field("/proc/meminfo", "MemTotal");
    // Rounded: what the kernel keeps for itself is no news.
    total.and_then(|text| text.split(' ').next()?.parse::<u64>().ok()).unwrap_or_default() + (1 << 19)
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// What a program prints, on one line.
#[must_use]
pub fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".into(),
        |output| String::from_utf8_lossy(&output.stdout).trim().replace('\n', ", "),
    )
}
