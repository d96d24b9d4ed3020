use std::collections::HashMap;

use super::*;

fn parse(url: &str) -> Result<DatabaseConfig, ConfigError> {
    parse_in(url, &[])
}

fn parse_in(url: &str, environment: &[(&str, &str)]) -> Result<DatabaseConfig, ConfigError> {
    let environment: HashMap<&str, &str> = environment.iter().copied().collect();
    let lookup = |name: &str| environment.get(name).map(ToString::to_string);
    DatabaseConfig::from_url_in(&Secret::new(url.to_owned()), &lookup)
}

#[test]
fn no_secret_shows() {
    let config = parse("postgres://bob:hunter2@db.example:6432/shop?connect_timeout=3").unwrap();
    let shown = format!("{config:?} {:?} {:?}", config.access, config.driver);
    assert!(!shown.contains("hunter2") && shown.contains("db.example:6432"), "{shown}");
    assert_eq!(config.database(), Some("shop"));
    assert_eq!(config.limits.connect_timeout, Duration::from_secs(3));
}

#[test]
fn bad_urls_are_named_without_their_text() {
    for (url, error) in [
        ("mysql://u:hunter2@h/d", "starts with `postgres://`"),
        ("host=h password=hunter2", "starts with `postgres://`"),
        ("postgres://u:hunter2@h:hunter2/d", "`port` in the database url is not valid"),
        ("postgres://u:hunter2@h/d?nope=1", "unknown option `nope` in the database url"),
        ("postgres://u:p/d?hun?ter2=1@h", "its name is not shown"),
        ("postgres://u:hunter2@h/d?sslMode=require", "did you mean `sslmode`?"),
        ("postgres://u:hunter2@h/d?keepalives_retries=1", "did you mean `keepalives_count`?"),
        (
            "postgres://u:hunter2@h/d?sslmode=hunter2",
            "allowed are disable, allow, prefer, require, verify-ca, verify-full",
        ),
        ("postgres://u:hunter2@h/d?target_session_attrs=hunter2", "allowed are any, read-write"),
        ("postgres://u:hunter2@h/d?load_balance_hosts=yes", "allowed are disable, random"),
        ("postgres://u:hunter2@h/d?connect_timeout=hunter2", "`connect_timeout`"),
        (
            "postgres://u:hunter2@h/d?sslpassword=hunter2",
            "`sslpassword` in the database url is not supported",
        ),
        ("postgres://u:hunter2@h/d?gssencmode=require", "`gssencmode`"),
        ("postgres://u:hunter2@h/d?client_encoding=latin1", "`client_encoding`"),
        ("postgres://u:hunter2@h/d?require_auth=hunter2", "known are none, password"),
        ("postgres://u:hunter2@h/d?require_auth=md5,!password", "either each way"),
        ("postgres://u:hunter2@h/d?sslmode=verify-full", "there is no root certificate"),
        ("postgres://u:hunter2@h/d?sslmode=require&sslrootcert=system", "goes only with sslmode verify-full"),
        ("postgres://u:hunter2@h/d?sslnegotiation=direct", "goes only with sslmode require, "),
        (
            "postgres://u:hunter2@h/d?sslrootcert=/nowhere/ca.crt",
            "cannot use `/nowhere/ca.crt` as the database's sslrootcert: there is no such file",
        ),
        ("postgres://u:hunter2@h/d?sslcert=/nowhere/a", "no key"),
        ("postgres://u:hunter2@h/d?sslkey=/nowhere/a", "no certificate"),
        ("postgres://u:hunter2@h/d?sslcrl=/nowhere/a", "no root certificate"),
        (
            "postgres://u:hunter2@h/d?ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2",
            "below",
        ),
        (
            "postgres://u:hunter2@h/d?ssl_min_protocol_version=TLSv1&ssl_max_protocol_version=TLSv1.1",
            "not spoken",
        ),
        ("postgres://u:hunter2@h/d?password_file=/nowhere", "set only `password_file`"),
        ("postgres://u@h/d?password_file=/nowhere", "cannot use `/nowhere` as the database's password_file"),
        ("postgres://u@h/d?service=shop", "the service `shop` is not defined: there is no service file"),
        (
            "postgres://u@h/d?service=shop&servicefile=/nowhere",
            "cannot use `/nowhere` as the database's service file",
        ),
    ] {
        let text = parse(url).unwrap_err().to_string();
        assert!(text.contains(error) && !text.contains("hunter2") && !text.contains("ter2"), "{url}: {text}");
    }
}

#[test]
fn the_environment_gives_what_the_url_leaves_out() {
    let environment = [
        ("PGHOST", "a,b"),
        ("PGPORT", "1,2"),
        ("PGUSER", "eve"),
        ("PGDATABASE", "shop"),
        ("PGPASSWORD", "hunter2"),
        ("PGCONNECT_TIMEOUT", "9"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGLOADBALANCEHOSTS", "random"),
        ("PGOPTIONS", "-c x.y=z"),
        ("PGAPPNAME", "app"),
    ];
    let config = parse_in("postgres://", &environment).unwrap();
    let access = &config.access;
    assert_eq!(format!("{:?}", access.endpoints), "[a:1, b:2]");
    assert_eq!((access.user.as_str(), access.database.as_str()), ("eve", "shop"));
    assert_eq!((access.target, access.shuffle), (Target::Standby, true));
    assert_eq!(config.driver.get_options(), Some("-c x.y=z"));
    assert_eq!(config.driver.get_application_name(), Some("app"));
    assert_eq!(config.limits.connect_timeout, Duration::from_secs(9));
    let wanted = Wanted { host: "a", port: 1, database: "shop", user: "eve" };
    assert_eq!(access.password.read(wanted).unwrap(), Some(Secret::new("hunter2".into())));

    let config = parse_in("postgres://bob:own@c:5432/d?connect_timeout=3&options=", &environment).unwrap();
    assert_eq!(format!("{:?} {}", config.access.endpoints, config.access.user), "[c:5432] bob");
    assert_eq!(config.limits.connect_timeout, Duration::from_secs(3));
    assert_eq!(config.driver.get_options(), None);
}

#[test]
fn what_is_wrong_with_the_environment_names_its_variable() {
    for (variable, value) in
        [("PGSSLMODE", "on"), ("PGTARGETSESSIONATTRS", "x"), ("PGREQUIREPEER", "postgres"), ("PGPORT", "x")]
    {
        let text = parse_in("postgres://h/d", &[(variable, value)]).unwrap_err().to_string();
        assert!(text.contains(&format!("the environment ({variable})")), "{text}");
    }
}

#[test]
fn a_service_stands_between_the_url_and_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".pg_service.conf");
    std::fs::write(
        &file,
        "# mine\n[other]\nuser=x\n[shop]\nhost=s\nuser = svc\npassword=hunter2\n\n[last]\nport",
    )
    .unwrap();
    let home = folder.path().to_str().unwrap();
    let environment = [("HOME", home), ("PGSERVICE", "shop"), ("PGUSER", "env"), ("PGDATABASE", "d")];
    let config = parse_in("postgres://", &environment).unwrap();
    assert_eq!(
        format!("{:?} {} {}", config.access.endpoints, config.access.user, config.access.database),
        "[s:5432] svc d"
    );
    let config = parse_in("postgres://me@u/e", &environment).unwrap();
    assert_eq!(
        format!("{:?} {} {}", config.access.endpoints, config.access.user, config.access.database),
        "[u:5432] me e"
    );
    let path = file.to_str().unwrap();
    for (name, error) in [("last", "line 10 has no `=`"), ("none", "the service `none` is not defined: `")] {
        let url = format!("postgres://?service={name}&servicefile={path}");
        let text = parse(&url).unwrap_err().to_string();
        assert!(text.contains(error) && text.contains(path) && !text.contains("hunter2"), "{text}");
    }
    std::fs::write(&file, "[shop]\nnope=hunter2").unwrap();
    let text = parse_in("postgres://", &environment).unwrap_err().to_string();
    assert!(
        text.contains("unknown option `nope` in the service `shop`") && !text.contains("hunter2"),
        "{text}"
    );
}

fn file(folder: &Path, name: &str, text: &str, mode: u32) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn password(config: &DatabaseConfig) -> Result<Option<Secret>, ConfigError> {
    let endpoint = &config.access.endpoints[0];
    let host = endpoint.host();
    config.access.password.read(Wanted {
        host: &host,
        port: endpoint.port(),
        database: &config.access.database,
        user: &config.access.user,
    })
}

#[test]
fn passwords_come_from_files_and_change_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = file(folder.path(), "secret", "one\n", 0o444);
    let config = parse(&format!("postgres://bob@h/d?password_file={}", mounted.display())).unwrap();
    assert_eq!(password(&config).unwrap(), Some(Secret::new("one".into())));
    file(folder.path(), "next", " t:w\\o \r\n", 0o444);
    std::fs::rename(folder.path().join("next"), &mounted).unwrap();
    assert_eq!(password(&config).unwrap(), Some(Secret::new(" t:w\\o ".into())));
    std::fs::remove_file(&mounted).unwrap();
    let text = password(&config).unwrap_err().to_string();
    assert!(text.contains("password_file: there is no such file"), "{text}");
}

#[test]
fn a_password_file_for_all_to_see_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "h:5432:d:bob:hunter2\nlocalhost:*:*:*:local\n";
    let safe = file(folder.path(), ".pgpass", lines, 0o600);
    let open = file(folder.path(), "open", lines, 0o640);
    let home = folder.path().to_str().unwrap();
    let hunter2 = Some(Secret::new("hunter2".to_owned()));
    let by_home = parse_in("postgres://bob@h/d", &[("HOME", home)]).unwrap();
    assert_eq!(password(&by_home).unwrap(), hunter2);
    let by_variable = parse_in("postgres://bob@h/d", &[("PGPASSFILE", safe.to_str().unwrap())]).unwrap();
    assert_eq!(password(&by_variable).unwrap(), hunter2);
    let named = |path: &Path| parse(&format!("postgres://bob@h/d?passfile={}", path.display())).unwrap();
    assert_eq!(password(&named(&safe)).unwrap(), hunter2);
    assert_eq!(password(&named(&open)).unwrap(), None);
    assert!(password(&named(&folder.path().join("missing"))).is_err());
    let of_socket = parse_in("postgres:///d?host=/var/run/postgresql", &[("HOME", home)]).unwrap();
    assert_eq!(password(&of_socket).unwrap(), Some(Secret::new("local".into())));
    let without = parse_in("postgres://bob@h/d", &[("HOME", "/nowhere")]).unwrap();
    assert_eq!(password(&without).unwrap(), None);
}

/// A certificate signed by itself, and its key, as PEM.
fn signed() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["db.example".into()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn what_is_wrong_with_a_tls_file_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str, mode: u32| file(folder.path(), name, text, mode).display().to_string();
    let ((certificate, key), (_, other_key)) = (signed(), signed());
    let good = (at("a.crt", &certificate, 0o644), at("a.key", &key, 0o600));
    let torn = at("torn.crt", "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n", 0o644);
    let empty = at("empty.crt", "no certificate\n", 0o644);
    let junk =
        at("junk.crt", "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n", 0o644);
    let (open, no_key) = (at("open.key", &key, 0o644), at("certificate.key", &certificate, 0o600));
    let other = at("other.key", &other_key, 0o600);
    let locked = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let locked = at("locked.key", &locked, 0o600);
    let here = folder.path().display().to_string();
    let client = |certificate: &str, key: &str| format!("sslcert={certificate}&sslkey={key}");
    for (options, error) in [
        (format!("sslrootcert={torn}"), "its base64 is broken"),
        (format!("sslrootcert={empty}"), "it holds no certificate in PEM form"),
        (format!("sslrootcert={junk}"), "no root certificate is usable"),
        (format!("sslrootcert={here}"), "it is no plain file"),
        (format!("sslrootcert={}&sslcrl={}", good.0, good.0), "it holds no revocation list"),
        (client(&good.0, &open), "its group or others have access"),
        (client(&good.0, &other), "it is not the key of the certificate"),
        (client(&good.0, &locked), "it is encrypted"),
        (client(&good.0, &no_key), "it holds nothing of the kind"),
        (client(&empty, &good.1), "it holds no certificate"),
    ] {
        let text = parse(&format!("postgres://u:hunter2@h/d?{options}")).unwrap_err().to_string();
        assert!(text.contains(error), "{options}: {text}");
        // Without TLS nobody looks at them.
        parse(&format!("postgres://u:hunter2@h/d?sslmode=disable&{options}")).unwrap();
    }
    parse(&format!("postgres://u@h/d?sslrootcert={}&{}", good.0, client(&good.0, &good.1))).unwrap();
}

#[test]
fn files_in_their_default_places_are_used() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".postgresql");
    std::fs::create_dir(&folder).unwrap();
    let home = [("HOME", home.path().to_str().unwrap())];
    let (certificate, key) = signed();
    parse_in("postgres://u@h/d?sslmode=verify-full", &home).unwrap_err();
    file(&folder, "root.crt", &certificate, 0o644);
    parse_in("postgres://u@h/d?sslmode=verify-full", &home).unwrap();
    file(&folder, "postgresql.crt", &certificate, 0o644);
    let text = parse_in("postgres://u@h/d", &home).unwrap_err().to_string();
    assert!(text.contains("and no key\nhint: name the key's file with `sslkey`"), "{text}");
    file(&folder, "postgresql.key", &key, 0o600);
    parse_in("postgres://u@h/d", &home).unwrap();
    // A name is what verify-full verifies.
    let text =
        parse_in("postgres:///d?hostaddr=127.0.0.1&sslmode=verify-full", &home).unwrap_err().to_string();
    assert!(text.contains("needs the name of each host"), "{text}");
}
