//! `sslmode` and what goes with it: for each what is accepted, and its refused twin.

use std::fs;

use super::{
    certificates::self_signed,
    front::{Manner, front, tls},
    server::{encrypted, open, open_with, refusal, secure},
};
use crate::support::{eventually, one_session};

const ALPN: &[&[u8]] = &[b"postgresql"];

#[tokio::test]
async fn each_mode_encrypts_when_it_should() {
    let secure = secure();
    for (mode, user, expected) in [
        ("disable", "trusted", false),
        ("allow", "trusted", false),
        ("prefer", "trusted", true),
        ("require", "trusted", true),
        ("verify-ca&sslrootcert={ca}", "trusted", true),
        ("verify-full&sslrootcert={ca}", "trusted", true),
        // The server takes them only one way: the mode finds it.
        ("allow", "secured:pw", true),
        ("prefer", "plain:pw", false),
        ("disable", "plain:pw", false),
        ("require", "secured:pw", true),
    ] {
        let url = secure.url("127.0.0.1", user, &format!("sslmode={mode}"));
        assert_eq!(encrypted(&url).await.0, expected, "{mode} {user}");
    }
}

#[tokio::test]
async fn a_mode_that_the_server_does_not_take_is_refused() {
    let secure = secure();
    for (mode, user) in [("disable", "secured:pw"), ("require", "plain:pw")] {
        let text = refusal(&secure.url("127.0.0.1", user, &format!("sslmode={mode}"))).await;
        assert!(text.contains("no pg_hba.conf entry for host") && text.contains("28000"), "{mode}: {text}");
    }
    // Both ways were tried, and both reasons are given.
    let text = refusal(&secure.url("127.0.0.1", "nobody", "sslmode=prefer")).await;
    assert!(
        text.contains("SSL encryption (sqlstate 28000); then without TLS: ")
            && text.contains("no encryption"),
        "{text}"
    );
    let text = refusal(&secure.url("127.0.0.1", "nobody", "sslmode=allow")).await;
    assert!(text.contains("no encryption (sqlstate 28000); then with TLS: "), "{text}");
}

#[tokio::test]
async fn the_authority_and_the_name_are_verified_as_the_mode_says() {
    let secure = secure();
    let url =
        |host: &str, options: &str| secure.url(host, "trusted", &format!("{options}&hostaddr=127.0.0.1"));
    for (host, options) in [
        ("elsewhere.example", "sslmode=verify-ca&sslrootcert={ca}"),
        ("db.example", "sslmode=verify-full&sslrootcert={ca}"),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert={ca}"),
        ("elsewhere.example", "sslmode=require"),
        ("elsewhere.example", "sslmode=require&sslrootcert={ca}"),
        ("db.example", "sslmode=verify-full&sslrootcert={ca}&ssl_max_protocol_version=TLSv1.2"),
        ("db.example", "sslmode=verify-full&sslrootcert={ca}&ssl_min_protocol_version=TLSv1.3&sslsni=0"),
    ] {
        assert!(encrypted(&url(host, options)).await.0, "{host} {options}");
    }
    for (host, options, error) in [
        ("elsewhere.example", "sslmode=verify-full&sslrootcert={ca}", "not valid for name"),
        ("127.0.0.2", "sslmode=verify-full&sslrootcert={ca}", "not valid for name"),
        ("db.example", "sslmode=verify-full&sslrootcert={other}", "no certificate in `sslrootcert` vouches"),
        ("db.example", "sslmode=verify-ca&sslrootcert={other}", "no certificate in `sslrootcert` vouches"),
        // A root certificate makes `require` verify.
        ("db.example", "sslmode=require&sslrootcert={other}", "no certificate in `sslrootcert` vouches"),
    ] {
        let text = refusal(&url(host, options)).await;
        assert!(text.contains(error), "{host} {options}: {text}");
    }
    // And `prefer` give TLS up, where the server takes that.
    assert!(!encrypted(&url("db.example", "sslmode=prefer&sslrootcert={other}")).await.0);
}

#[tokio::test]
async fn the_systems_roots_verify_too() {
    use fasterapi_core::Secret;
    use fasterapi_postgres::DatabaseConfig;
    let secure = secure();
    let url = secure.url("localhost", "trusted", "sslrootcert=system&hostaddr=127.0.0.1");
    let with = |authority: &std::path::Path| {
        let file = authority.to_str().unwrap().to_owned();
        let environment = move |name: &str| (name == "SSL_CERT_FILE").then(|| file.clone());
        let config = DatabaseConfig::from_url_in(&Secret::new(url.clone()), &environment).unwrap();
        async move {
            let (tenant, alias) = <(fasterapi_core::TenantId, fasterapi_core::DatabaseAlias)>::default();
            let grants = fasterapi_postgres::Databases::builder();
            let databases = grants.grant(tenant.clone(), alias.clone(), config).build();
            databases.check(&tenant, &alias).await.map_err(|error| error.message)
        }
    };
    with(&secure.authority.certificate).await.unwrap();
    let text = with(&secure.stranger.certificate).await.unwrap_err();
    assert!(text.contains("vouches"), "{text}");
}

#[tokio::test]
async fn a_client_shows_its_certificate_where_the_server_wants_it() {
    let secure = secure();
    let own = secure.authority.client("certified", "certified");
    let anothers = secure.authority.client("another", "another");
    let strangers = secure.stranger.client("strange", "certified");
    let url = |options: &str| secure.url("127.0.0.1", "certified:pw", &format!("sslmode=require&{options}"));
    assert_eq!(encrypted(&url(&own.url())).await, (true, "'/CN=certified'".into()));
    for (options, error) in [
        (String::new(), "connection requires a valid client certificate"),
        (format!("{}&sslcertmode=disable", own.url()), "connection requires a valid client certificate"),
        (anothers.url(), "sqlstate 28"),
        (strangers.url(), "the server does not know who signed the certificate in `sslcert`"),
    ] {
        let text = refusal(&url(&options)).await;
        assert!(text.contains(error), "{options}: {text}");
    }
}

#[tokio::test]
async fn renewed_certificates_are_used_by_the_next_session() {
    let secure = secure();
    let used = secure.stranger.client("renewed", "certified");
    let roots = secure.file("renewed-roots.crt", &fs::read_to_string(&secure.stranger.certificate).unwrap());
    let url = format!("sslmode=verify-ca&sslrootcert={}&{}", roots.display(), used.url());
    let db = open(&secure.url("127.0.0.1", "certified:pw", &url));
    assert!(db.query("SELECT 1", &[]).await.is_err());
    fs::copy(&secure.authority.certificate, &roots).unwrap();
    secure.authority.client("renewed", "certified");
    eventually("the pool tries again", || async { db.query("SELECT 1", &[]).await.is_ok() }).await;
    fs::write(&used.key, "torn").unwrap();
    assert_eq!(db.value("SELECT 1", &[]).await, "1");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_demanded() {
    let secure = secure();
    for (answer, reason) in [
        (b'N', "the server does not offer TLS, which sslmode demands"),
        (b'E', "the server answered the request for TLS with an error"),
        (b'H', "what answers there is no postgres server"),
    ] {
        let port = front(secure, Manner::Answers(answer)).await.port;
        let url = |mode: &str| format!("postgres://trusted@127.0.0.1:{port}/postgres?sslmode={mode}");
        let text = refusal(&url("require")).await;
        assert!(text.contains(reason), "{text}");
        if answer != b'H' {
            assert!(!encrypted(&url("prefer")).await.0);
        }
        assert!(!encrypted(&url("disable")).await.0);
    }
}

#[tokio::test]
async fn certificates_that_are_not_good_are_refused_when_they_are_verified() {
    let secure = secure();
    let expired = secure.authority.server("expired", &["localhost"], |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let early = secure.authority.server("early", &["localhost"], |params| {
        params.not_before = rcgen::date_time_ymd(2998, 1, 1);
        params.not_after = rcgen::date_time_ymd(2999, 1, 1);
    });
    let clients = secure.authority.server("clients", &["localhost"], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    for (signed, error) in [(expired, "expired"), (early, "not valid yet"), (clients, "extended key usage")] {
        let port = front(secure, Manner::Tls(tls(&signed, ALPN))).await.port;
        let url = |options: &str| format!("postgres://trusted@localhost:{port}/postgres?{options}");
        let verified = format!("sslmode=verify-ca&sslrootcert={}", secure.authority.certificate.display());
        let text = refusal(&url(&verified)).await;
        assert!(text.to_lowercase().contains(error), "{error}: {text}");
        open(&url("sslmode=require")).value("SELECT 1", &[]).await;
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused() {
    let secure = secure();
    let good = secure.authority.server("good", &["localhost"], |_| ());
    let bad = secure.authority.server("withdrawn", &["localhost"], |_| ());
    let list = secure.authority.revoke(&bad);
    for (signed, is_good) in [(good, true), (bad, false)] {
        let port = front(secure, Manner::Tls(tls(&signed, ALPN))).await.port;
        let ca = secure.authority.certificate.display();
        let url =
            format!("postgres://trusted@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={ca}");
        open(&url).value("SELECT 1", &[]).await;
        let url = format!("{url}&sslcrl={}", list.display());
        if is_good {
            open(&url).value("SELECT 1", &[]).await;
        } else {
            let text = refusal(&url).await;
            assert!(text.to_lowercase().contains("revoked"), "{text}");
        }
    }
}

/// As the PostgreSQL documentation has people make it: its own root, an authority, the name in the subject.
#[tokio::test]
async fn a_self_signed_certificate_is_good_as_its_own_root() {
    let secure = secure();
    let own = self_signed(&secure.folder, "own", "localhost", |_| ());
    let other = self_signed(&secure.folder, "not-own", "localhost", |_| ());
    let old = self_signed(&secure.folder, "own-old", "localhost", |params| {
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    let port = front(secure, Manner::Tls(tls(&own, ALPN))).await.port;
    let url = |host: &str, root: &super::certificates::Signed| {
        let root = root.certificate.display();
        format!(
            "postgres://trusted@{host}:{port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={root}"
        )
    };
    open(&url("localhost", &own)).value("SELECT 1", &[]).await;
    let text = refusal(&url("elsewhere.example", &own)).await;
    assert!(text.contains("not valid for name"), "{text}");
    let text = refusal(&url("localhost", &other)).await;
    assert!(text.contains("invalid peer certificate"), "{text}");
    let port = front(secure, Manner::Tls(tls(&old, ALPN))).await.port;
    let root = old.certificate.display();
    let text = refusal(&format!(
        "postgres://trusted@localhost:{port}/postgres?sslmode=verify-ca&sslrootcert={root}"
    ))
    .await;
    assert!(text.contains("Expired"), "{text}");
}

/// What `openssl x509 -req` made by default for long: version 1. It encrypts; to be verified it is too old.
#[tokio::test]
async fn a_certificate_of_version_1_encrypts_and_is_not_verified() {
    let secure = secure();
    let certificate = secure.file("version-1.crt", include_str!("version-1.crt"));
    let key = secure.file("version-1.key", include_str!("version-1.key"));
    let port = secure.other("version-1", &certificate, &key);
    let url =
        |options: &str| format!("postgres://postgres@localhost:{port}/postgres?hostaddr=127.0.0.1&{options}");
    assert!(encrypted(&url("sslmode=require")).await.0);
    let ca = secure.authority.certificate.display();
    for version in ["TLSv1.2", "TLSv1.3"] {
        let bounds = format!("ssl_min_protocol_version={version}&ssl_max_protocol_version={version}");
        let text = refusal(&url(&format!("sslmode=verify-ca&sslrootcert={ca}&{bounds}"))).await;
        assert!(text.contains("if the certificate is of version 1"), "{text}");
    }
    // As its own root, as the documentation has it, it is good.
    let own = certificate.display();
    assert!(encrypted(&url(&format!("sslmode=verify-full&sslrootcert={own}"))).await.0);
}

/// libpq's rule for a certificate without alternative names.
#[tokio::test]
async fn the_common_name_counts_only_without_alternative_names() {
    let secure = secure();
    let common = |name: &'static str| {
        move |params: &mut rcgen::CertificateParams| {
            params.distinguished_name.push(rcgen::DnType::CommonName, name)
        }
    };
    let alone = secure.authority.server("alone", &[], common("*.example"));
    let beside = secure.authority.server("beside", &["other.test"], common("db.example"));
    for (signed, good) in [(alone, true), (beside, false)] {
        let port = front(secure, Manner::Tls(tls(&signed, ALPN))).await.port;
        let ca = secure.authority.certificate.display();
        let url = format!(
            "postgres://trusted@db.example:{port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={ca}"
        );
        if good {
            open(&url).value("SELECT 1", &[]).await;
        } else {
            assert!(refusal(&url).await.contains("not valid for name"));
        }
    }
}

#[tokio::test]
async fn a_direct_handshake_must_agree_on_the_protocol() {
    let secure = secure();
    let good = front(secure, Manner::Direct(tls(&secure.server, ALPN))).await.port;
    let mute = front(secure, Manner::Direct(tls(&secure.server, &[]))).await.port;
    let web = front(secure, Manner::Direct(tls(&secure.server, &[b"h2"]))).await.port;
    let ca = secure.authority.certificate.display();
    let url = |port: u16| {
        format!(
            "postgres://trusted@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={ca}&sslnegotiation=direct"
        )
    };
    open(&url(good)).value("SELECT 1", &[]).await;
    for port in [mute, web] {
        let text = refusal(&url(port)).await;
        assert!(text.contains("protocol `postgresql`"), "{text}");
    }
    // A server that waits to be asked, before version 17.
    let text = refusal(&secure.url("localhost", "trusted", "sslmode=require&sslnegotiation=direct")).await;
    assert!(text.contains("127.0.0.1") || text.contains("localhost"), "{text}");
}

#[tokio::test]
async fn a_cancel_goes_the_sessions_way() {
    let secure = secure();
    let front = front(secure, Manner::Tls(tls(&secure.server, ALPN))).await;
    let ca = secure.authority.certificate.display();
    let url =
        format!("postgres://trusted@localhost:{}/postgres?sslmode=verify-full&sslrootcert={ca}", front.port);
    let db = open_with(&url, one_session());
    let pid = db.value("SELECT pg_backend_pid()", &[]).await;
    let sleeping = || async {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state = 'active' AND query LIKE '%pg_sleep(600)%'"
        );
        secure.sql(&sql) == "1"
    };
    let database = db.database();
    let call = tokio::spawn(async move {
        let _ = database.query("SELECT pg_sleep(600)", &crate::support::pack(&[])).await;
    });
    eventually("it sleeps", sleeping).await;
    call.abort();
    eventually("it is cancelled", || async { !sleeping().await }).await;
    assert_eq!(db.value("SELECT pg_backend_pid()", &[]).await, pid);
    assert_eq!(front.connections.load(std::sync::atomic::Ordering::Relaxed), 2);
}
