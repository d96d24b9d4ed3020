//! Reading a `postgres://` URL as libpq does (PostgreSQL documentation, "Connection URIs").

use percent_encoding::percent_decode_str;

use super::{
    ConfigError,
    settings::{Origin, Settings},
};

/// Whether `text` is to be read as a URL of a database.
pub(crate) fn is_postgres_url(text: &str) -> bool {
    scheme_less(text).is_some()
}

fn scheme_less(text: &str) -> Option<&str> {
    text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))
}

/// The options that a URL sets.
pub(super) fn read(url: &str) -> Result<Settings, ConfigError> {
    let rest = scheme_less(url).ok_or(ConfigError::Scheme)?;
    let mut settings = Settings::default();
    let rest = match rest.split_once('@').filter(|(credentials, _)| !credentials.contains('/')) {
        Some((credentials, rest)) => {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            store(&mut settings, "user", user)?;
            store(&mut settings, "password", password)?;
            rest
        }
        None => rest,
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (servers, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (hosts, ports) = split_servers(servers)?;
    store(&mut settings, "host", &hosts)?;
    store(&mut settings, "port", &ports)?;
    store(&mut settings, "dbname", database)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(invalid("an option has no `=`"))?;
        let (name, value) = (decoded(name)?, decoded(value)?);
        match (name.as_str(), value.as_str()) {
            // As JDBC's URLs have it, and libpq for their sake.
            ("ssl", "true") => settings.set("sslmode", "require".into(), &Origin::Url)?,
            _ => settings.set(&name, value, &Origin::Url)?,
        }
    }
    Ok(settings)
}

/// Hosts and ports as lists of the same length. A host may be an IPv6 address in brackets.
fn split_servers(servers: &str) -> Result<(String, String), ConfigError> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for server in servers.split(',') {
        let (host, port) = match server.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(invalid("a `[` has no `]`"))?;
                let port = rest.strip_prefix(':').or(rest.is_empty().then_some(""));
                (host, port.ok_or(invalid("after `]` comes a port, or the next host"))?)
            }
            None => server.split_once(':').unwrap_or((server, "")),
        };
        hosts.push(host);
        ports.push(port);
    }
    let list = |parts: &[&str]| match parts.iter().all(|part| part.is_empty()) {
        true => String::new(),
        false => parts.join(","),
    };
    Ok((list(&hosts), list(&ports)))
}

fn store(settings: &mut Settings, name: &str, value: &str) -> Result<(), ConfigError> {
    match value {
        "" => Ok(()),
        value => settings.set(name, decoded(value)?, &Origin::Url),
    }
}

fn decoded(text: &str) -> Result<String, ConfigError> {
    let is_escape = |rest: &str| rest.get(..2).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if !text.split('%').skip(1).all(is_escape) {
        return Err(invalid("a `%` is not followed by two hexadecimal digits"));
    }
    let text = percent_decode_str(text).decode_utf8().map_err(|_| invalid("it is not UTF-8 when decoded"))?;
    if text.contains('\0') {
        return Err(invalid("it has a null byte"));
    }
    Ok(text.into_owned())
}

const fn invalid(reason: &'static str) -> ConfigError {
    ConfigError::Url { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(url: &str) -> Vec<(&'static str, String)> {
        let settings = read(url).unwrap();
        ["user", "password", "host", "port", "dbname", "sslmode"]
            .into_iter()
            .filter_map(|name| Some((name, settings.get(name)?.to_owned())))
            .collect()
    }

    /// The forms of libpq's own tests (src/interfaces/libpq/t/001_uri.pl).
    #[test]
    fn urls_mean_what_they_mean_to_libpq() {
        for (url, expected) in [
            (
                "postgresql://uri-user:secret@host:12345/db",
                "user=uri-user password=secret host=host port=12345 dbname=db",
            ),
            ("postgresql://uri-user@host", "user=uri-user host=host"),
            ("postgresql://", ""),
            ("postgresql://host:12345", "host=host port=12345"),
            ("postgresql://?user=uri-user", "user=uri-user"),
            ("postgresql:///db", "dbname=db"),
            ("postgresql://[::1]:12345/db", "host=::1 port=12345 dbname=db"),
            ("postgresql://[2001:db8::1234]", "host=2001:db8::1234"),
            ("postgresql://host1:1,host2,[::1]:3/d", "host=host1,host2,::1 port=1,,3 dbname=d"),
            ("postgres://u@/d?host=/run/x&port=7", "user=u host=/run/x port=7 dbname=d"),
            ("postgres://a/d?host=b", "host=b dbname=d"),
            ("postgres://%2Fvar%2Flib%2Fpostgresql/dbname", "host=/var/lib/postgresql dbname=dbname"),
            ("postgresql://u%40x:p%3A%2F@h", "user=u@x password=p:/ host=h"),
            ("postgresql://@host", "host=host"),
            ("postgresql://u:p@", "user=u password=p"),
            ("postgresql://host?ssl=true", "host=host sslmode=require"),
        ] {
            let found: Vec<String> = values(url).into_iter().map(|(k, v)| format!("{k}={v}")).collect();
            assert_eq!(found.join(" "), expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in [
            "postgresql://[::1/db",
            "postgresql://[::1]z/db",
            "postgresql://h/d?host",
            "postgresql://h/%",
            "postgresql://h/%zz",
            "postgresql://h/%00",
            "postgresql://h/%ff",
        ] {
            assert!(matches!(read(url), Err(ConfigError::Url { .. })), "{url}");
        }
    }
}
