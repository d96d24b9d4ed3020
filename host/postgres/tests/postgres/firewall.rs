//! A server behind a real firewall, in a network namespace of its own: the firewall forgets connections that were idle,
//! or all of them at once, and drops what comes of them without a word to either side.

use std::{
    fs,
    io::Write,
    net::{IpAddr, Ipv4Addr},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use fasterapi_core::Secret;
use fasterapi_postgres::{DatabaseConfig, PgErrorKind, PoolLimits};
use futures::future::join_all;

use crate::{
    outages::{full_strength, sessions},
    programs::{Programs, Running, USER, run},
    support::{Db, P, db_with_config, eventually, folder},
};

/// What is known to be under way is let through, and what begins; all else is dropped.
const RULES: &str = "
table inet firewall {
    set lost { type inet_service; }
    chain incoming {
        type filter hook input priority 0; policy drop;
        iifname lo accept
        tcp sport @lost drop
        ct state established accept
        ct state new tcp dport 5432 accept
    }
    chain outgoing {
        type filter hook output priority 0; policy drop;
        oifname lo accept
        tcp dport @lost drop
        ct state established accept
    }
}
";

/// A network of two: this machine, and a namespace. It goes when it is dropped.
struct Network {
    name: String,
    server: Ipv4Addr,
}

impl Network {
    /// None, and it is said why: this is not root's process, or there is no `nft`.
    #[allow(clippy::print_stdout, reason = "a test that is skipped says why")]
    fn make() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root makes network namespaces");
            return None;
        }
        if Command::new("nft").arg("--version").output().is_err() {
            println!("skipped: there is no firewall (`cargo xtask test` installs nftables)");
            return None;
        }
        Self::clear_away();
        let (run, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // Nobody's network: 198.18.0.0/15 is for tests of devices (RFC 2544).
        let base = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + 4 * ((run * 8 + number) % (1 << 15));
        let (here, there) = (Ipv4Addr::from(base + 1), Ipv4Addr::from(base + 2));
        let network = Self { name: format!("fpg-{run}-{number}"), server: there };
        let (outer, inner) = (format!("fpg{run}o{number}"), format!("fpg{run}i{number}"));
        let name = &network.name;
        for line in [
            format!("netns add {name}"),
            format!("link add {outer} type veth peer name {inner} netns {name}"),
            format!("address add {here}/30 dev {outer}"),
            format!("link set {outer} up"),
            format!("-n {name} address add {there}/30 dev {inner}"),
            format!("-n {name} link set {inner} up"),
            format!("-n {name} link set lo up"),
        ] {
            run_words("ip", &line);
        }
        network.rules(RULES);
        // What it does not know is not taken for known in the middle.
        network.set("nf_conntrack_tcp_loose", 0);
        Some(network)
    }

    /// Takes away what runs left behind that were killed.
    fn clear_away() {
        for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let run = name.strip_prefix("fpg-").and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
            if run.is_some_and(|run| !fs::exists(format!("/proc/{run}")).unwrap_or(true)) {
                let _ = Command::new("ip").args(["netns", "del", &name]).status();
            }
        }
    }

    fn inside(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// A program inside of it.
    fn command(&self, program: &str) -> Command {
        let [ip, words @ ..] = self.inside();
        let mut command = Command::new(ip);
        command.args(words).arg(program);
        command
    }

    fn rules(&self, rules: &str) {
        let mut nft = self.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "{rules}");
    }

    /// Sets what its firewall goes by.
    fn set(&self, name: &str, value: u32) {
        let line = format!("echo {value} > /proc/sys/net/netfilter/{name}");
        run(self.command("sh").args(["-c", &line]));
    }

    /// How many connections the firewall takes for established.
    fn known(&self) -> usize {
        let output = self.command("cat").arg("/proc/net/nf_conntrack").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        text.lines().filter(|line| line.contains("ESTABLISHED")).count()
    }
}

fn run_words(program: &str, words: &str) {
    run(Command::new(program).args(words.split(' ')));
}

impl Drop for Network {
    fn drop(&mut self) {
        // Its end of the cable goes with it, and so does the other.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// A server in a network of its own, and a pool of three sessions outside. In the order in which they go.
struct Guarded {
    db: Db,
    _server: Running,
    network: Network,
    _folder: tempfile::TempDir,
}

async fn guarded(limits: PoolLimits) -> Option<Guarded> {
    let programs = Programs::pinned().or_else(Programs::debian).unwrap();
    let (network, folder) = (Network::make()?, folder());
    let (data, socket) = (folder.path().join("data"), folder.path().to_owned());
    programs.init(&data, &[]);
    let address = Some((IpAddr::V4(network.server), 5432));
    let server = Running::start(&programs, &data, &socket, address, &network.inside()).await;
    let url = format!("postgres://{USER}@{}:5432/postgres?sslmode=disable", network.server);
    let config = DatabaseConfig::from_url_in(&Secret::new(url), &|_| None).unwrap();
    let db = db_with_config("postgres", config.with_limits(limits));
    full_strength(&db).await;
    assert!(network.known() >= 3, "the firewall knows them");
    Some(Guarded { db, _server: server, network, _folder: folder })
}

/// Not asked whether they live, for as long as the test takes.
fn trusted() -> PoolLimits {
    PoolLimits {
        check_after: Duration::from_secs(3600),
        statement_timeout: Duration::from_secs(1),
        ..sessions(3)
    }
}

#[tokio::test]
async fn idle_connections_are_cut_by_a_firewall() {
    let Some(guarded) = guarded(trusted()).await else { return };
    let (db, network) = (&guarded.db, &guarded.network);
    network.set("nf_conntrack_tcp_timeout_established", 1);
    // What it knows it knows for the old time: until something comes of it.
    let database = db.database();
    let sleep = crate::support::pack(&[]);
    join_all((0..3).map(|_| database.query("SELECT pg_sleep(0.1)", &sleep))).await;
    eventually("the firewall has forgotten them", || async { network.known() == 0 }).await;
    network.set("nf_conntrack_tcp_timeout_established", 3600);
    assert_eq!(db.status().idle, 3, "nobody has told the pool");
    // Whoever gets one of the three is told within the deadline; the others get new ones.
    let params: Vec<_> = (0..12).map(|n| crate::support::pack(&[P::Int(n)])).collect();
    let calls = params.iter().map(|params| database.query("SELECT $1::int8", params));
    let (mut answered, mut late) = (0, 0);
    for (n, told) in join_all(calls).await.into_iter().enumerate() {
        match told {
            Ok(block) => {
                let answer = crate::support::Answer::read(&block);
                assert_eq!(answer.rows[0][0].to_string(), n.to_string());
                answered += 1;
            }
            Err(error) => {
                assert_eq!((error.kind, error.retryable), (PgErrorKind::Timeout, true), "{error:?}");
                late += 1;
            }
        }
    }
    assert!(late <= 3 && answered >= 9, "{late} were late");
    full_strength(db).await;
    assert!(db.status().totals.opened >= 6);
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}

#[tokio::test]
async fn what_a_firewall_cut_is_found_before_it_is_used() {
    let limits = PoolLimits { check_after: Duration::ZERO, ..trusted() };
    let Some(guarded) = guarded(PoolLimits { statement_timeout: Duration::from_secs(60), ..limits }).await
    else {
        return;
    };
    let (db, network) = (&guarded.db, &guarded.network);
    let ports = db.values("SELECT client_port FROM pg_stat_activity WHERE client_port > 0", &[]).await;
    assert!(ports.len() >= 3, "{ports:?}");
    // None is being asked just now.
    full_strength(db).await;
    network.rules(&format!("add element inet firewall lost {{ {} }}", ports.join(", ")));
    for n in 0..6 {
        assert_eq!(db.value("SELECT $1::int8", &[P::Int(n)]).await, n.to_string());
    }
    full_strength(db).await;
    assert!(db.status().totals.opened >= 6);
}
