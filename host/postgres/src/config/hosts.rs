//! Which servers, in which order, and how their sockets are opened.

use std::{net::IpAddr, path::Path, time::Duration};

use socket2::TcpKeepalive;

use super::{ConfigError, settings::Settings};
use crate::session::{Endpoint, Place, TcpOptions};

pub(crate) const DEFAULT_PORT: u16 = 5432;
/// Debian's folder for the server's socket; libpq's default there.
pub(crate) const SOCKET_FOLDER: &str = "/var/run/postgresql";

/// The servers of the lists `host`, `hostaddr` and `port`. An element left out has its default.
pub(super) fn endpoints(settings: &Settings) -> Result<Vec<Endpoint>, ConfigError> {
    let (hosts, ips, ports) = (list(settings, "host"), list(settings, "hostaddr"), list(settings, "port"));
    let count = hosts.len().max(ips.len()).max(1);
    if hosts.len() > 1 && ips.len() > 1 && hosts.len() != ips.len() {
        let reason = format!("it lists {} addresses for {} hosts", ips.len(), hosts.len());
        return Err(settings.invalid("hostaddr", reason));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(settings.invalid("port", format!("it lists {} ports for {count} hosts", ports.len())));
    }
    let tcp = tcp_options(settings)?;
    let element =
        |list: &[&str], i: usize| list.get(i).copied().filter(|text| !text.is_empty()).map(str::to_owned);
    (0..count)
        .map(|i| {
            let port = if ports.len() == 1 { element(&ports, 0) } else { element(&ports, i) };
            let port = port.map_or(Ok(DEFAULT_PORT), |port| number(settings, &port))?;
            let ip = element(&ips, i).map(|ip| ip.parse::<IpAddr>()).transpose();
            let ip = ip.map_err(|_| settings.invalid("hostaddr", "it holds what is no numeric address"))?;
            Ok(Endpoint::new(place(element(&hosts, i), ip), port, tcp.clone()))
        })
        .collect()
}

fn list<'a>(settings: &'a Settings, name: &str) -> Vec<&'a str> {
    settings.get(name).map(|list| list.split(',').map(str::trim).collect()).unwrap_or_default()
}

fn number(settings: &Settings, port: &str) -> Result<u16, ConfigError> {
    let port = port.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| settings.invalid("port", "a port is a number from 1 to 65535"))
}

fn place(host: Option<String>, ip: Option<IpAddr>) -> Place {
    match (host, ip) {
        (Some(folder), None) if folder.starts_with('/') => Place::Unix(folder.into()),
        (None, None) if Path::new(SOCKET_FOLDER).is_dir() => Place::Unix(SOCKET_FOLDER.into()),
        (None, None) => Place::Tcp { name: Some("localhost".into()), ip: None },
        (name, ip) => Place::Tcp { name, ip },
    }
}

fn tcp_options(settings: &Settings) -> Result<TcpOptions, ConfigError> {
    let seconds = |name| {
        let number: Option<u32> = settings.number(name)?;
        Ok(number.filter(|number| *number > 0).map(|number| Duration::from_secs(number.into())))
    };
    let (idle, interval) = (seconds("keepalives_idle")?, seconds("keepalives_interval")?);
    let count: Option<u32> = settings.number("keepalives_count")?;
    let user_timeout: Option<u32> = settings.number("tcp_user_timeout")?;
    let mut keepalive = TcpKeepalive::new();
    if let Some(idle) = idle {
        keepalive = keepalive.with_time(idle);
    }
    if let Some(interval) = interval {
        keepalive = keepalive.with_interval(interval);
    }
    if let Some(count) = count.filter(|count| *count > 0) {
        keepalive = keepalive.with_retries(count);
    }
    let enabled = settings.number::<i32>("keepalives")?.unwrap_or(1) != 0;
    Ok(TcpOptions {
        keepalive: enabled.then_some(keepalive),
        user_timeout: user_timeout.filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms.into())),
    })
}

#[cfg(test)]
mod tests {
    use crate::config::url;

    fn shown(url: &str) -> Result<Vec<String>, String> {
        let endpoints = super::endpoints(&url::read(url).unwrap()).map_err(|error| error.to_string())?;
        Ok(endpoints.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn lists_name_servers() {
        for (url, expected) in [
            ("postgres://a,b:2/d", vec!["a:5432", "b:2"]),
            ("postgres://a,b/d?port=7", vec!["a:7", "b:7"]),
            ("postgres://a,b/d?port=7,", vec!["a:7", "b:5432"]),
            ("postgres://u@/d?host=/run/x&port=7", vec!["/run/x/.s.PGSQL.7"]),
            ("postgres://a/d?hostaddr=::1", vec!["a:5432 ([::1]:5432)"]),
            ("postgres:///d?hostaddr=127.0.0.1,127.0.0.2", vec!["127.0.0.1:5432", "127.0.0.2:5432"]),
        ] {
            assert_eq!(shown(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn lists_that_do_not_match_are_refused() {
        for (url, error) in [
            (
                "postgres://a,b/d?port=1,2,3",
                "`port` in the database url is not valid: it lists 3 ports for 2 hosts",
            ),
            ("postgres://a,b/d?hostaddr=::1,::2,::3", "it lists 3 addresses for 2 hosts"),
            ("postgres://a:0/d", "1 to 65535"),
            ("postgres://a:x/d", "1 to 65535"),
            ("postgres://a/d?hostaddr=b", "no numeric address"),
            ("postgres://a/d?keepalives_idle=soon", "`keepalives_idle`"),
        ] {
            let found = shown(url).unwrap_err();
            assert!(found.contains(error), "{url}: {found}");
        }
    }
}
