//! Parameters: every kind of value to every type that takes it, and the rest refused before it is sent.

use fasterapi_postgres::PgErrorKind;
use proptest::prelude::*;

use crate::support::{P, db, ints, one_session, pack, text};

fn big(decimal: &str) -> P {
    P::Int(decimal.parse().unwrap())
}

#[tokio::test]
async fn values_arrive_as_the_server_prints_them() {
    let db = db().await;
    let uuid = P::Bytes((0..16).collect());
    let cases: Vec<(&str, P, &str)> = vec![
        ("bool", P::Bool(true), "true"),
        ("bool", text("off"), "false"),
        ("int2", P::Int(-32768), "-32768"),
        ("int4", P::Int(2147483647), "2147483647"),
        ("int8", P::Int(i64::MIN.into()), "-9223372036854775808"),
        ("oid", P::Int(4294967295), "4294967295"),
        ("int4", text(" 42 "), "42"),
        ("numeric", P::Int(-5), "-5"),
        (
            "numeric",
            big("170141183460469231731687303715884105727"),
            "170141183460469231731687303715884105727",
        ),
        ("numeric", P::Float(0.1), "0.1"),
        ("numeric", P::Float(1e22), "10000000000000000000000"),
        ("numeric", P::Float(f64::NAN), "NaN"),
        ("numeric", text("1.500"), "1.500"),
        ("float8", P::Float(0.1), "0.1"),
        ("float8", P::Int(1 << 53), "9.007199254740992e+15"),
        ("float8", P::Int(1 << 100), "1.2676506002282294e+30"),
        ("float8", P::Float(f64::NEG_INFINITY), "-Infinity"),
        ("float4", P::Float(0.1), "0.1"),
        ("float4", P::Float(f64::NAN), "NaN"),
        ("text", text("größe 🐘"), "größe 🐘"),
        ("varchar", text(""), ""),
        ("bpchar", text("ab"), "ab"),
        ("name", text("n"), "n"),
        ("\"char\"", text("c"), "c"),
        ("bytea", P::Bytes(vec![0, 255, 97]), "\\x00ff61"),
        ("bytea", text("\\x61"), "\\x61"),
        ("uuid", uuid.clone(), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("uuid", text("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("json", text("{\"a\" : 1}"), "{\"a\" : 1}"),
        ("jsonb", text("{\"a\" : 1}"), "{\"a\": 1}"),
        ("date", text("2024-02-29"), "2024-02-29"),
        ("timestamptz", text("2024-06-01T12:00:00+02:00"), "2024-06-01 10:00:00+00"),
        ("timestamp", text("2024-06-01T12:00:00.5"), "2024-06-01 12:00:00.5"),
        ("timestamp", text("2024-06-01T12:00:00+00:00"), "2024-06-01 12:00:00"),
        // The server's own words: it passes over the offset.
        ("timestamp", text("2024-06-01 12:00:00+02"), "2024-06-01 12:00:00"),
        ("interval", text("P1DT2H"), "1 day 02:00:00"),
        ("inet", text("10.0.0.1/8"), "10.0.0.1/8"),
        ("int4range", text("[1,5)"), "[1,5)"),
        ("money", P::Bytes(vec![0, 0, 0, 0, 0, 0, 4, 210]), "$12.34"),
        ("xid8", P::Int(u64::MAX.into()), "18446744073709551615"),
        ("regclass", P::Int(1259), "pg_class"),
        (
            "json",
            P::Dict(vec![(text("a\"\n"), text("\\é")), (text("b"), P::None)]),
            r#"{"a\"\u000a": "\\é", "b": null}"#,
        ),
        ("jsonb", P::Dict(vec![]), "{}"),
        (
            "interval",
            P::Tuple(vec![P::Int(14), P::Int(-3), P::Int(-1)]),
            "1 year 2 mons -3 days -00:00:00.000001",
        ),
        ("date", P::Tuple(vec![text("infinity")]), "infinity"),
        (
            "date[]",
            P::List(vec![P::Tuple(vec![text("infinity")]), text("2024-01-01")]),
            "{infinity,2024-01-01}",
        ),
        ("int4[]", ints(&[1, -2]), "{1,-2}"),
        ("int4[]", P::List(vec![P::Int(1), P::None]), "{1,NULL}"),
        ("int4[]", P::List(vec![]), "{}"),
        ("int4[]", P::List(vec![P::List(vec![]), P::List(vec![])]), "{}"),
        ("int4[]", P::List(vec![ints(&[1, 2]), ints(&[3, 4])]), "{{1,2},{3,4}}"),
        ("int4[]", P::List(vec![P::Int(1), text("2")]), "{1,2}"),
        ("int4[]", text("{7,8}"), "{7,8}"),
        ("bool[]", P::List(vec![P::Bool(true), text("no")]), "{t,f}"),
        ("float8[]", P::List(vec![P::Float(0.5), P::Int(2), P::None]), "{0.5,2,NULL}"),
        ("numeric[]", P::List(vec![P::Int(1), P::Float(0.5), text("1.50")]), "{1,0.5,1.50}"),
        (
            "text[]",
            P::List(vec![text("a,b"), P::None, text("NULL"), text("\"\\")]),
            r#"{"a,b",NULL,"NULL","\"\\"}"#,
        ),
        ("date[]", P::List(vec![text("2024-01-01"), P::None]), "{2024-01-01,NULL}"),
        (
            "date[]",
            P::List(vec![P::List(vec![text("2024-01-01")]), P::List(vec![P::None])]),
            "{{2024-01-01},{NULL}}",
        ),
        ("uuid[]", P::List(vec![uuid.clone()]), "{00010203-0405-0607-0809-0a0b0c0d0e0f}"),
        (
            "uuid[]",
            P::List(vec![uuid, text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
            "{00010203-0405-0607-0809-0a0b0c0d0e0f,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        ),
        ("bytea[]", P::List(vec![P::Bytes(vec![1]), text("\\x02")]), r#"{"\\x01","\\x02"}"#),
        ("jsonb[]", P::List(vec![text("[1]")]), "{[1]}"),
        ("box[]", P::List(vec![text("(1,1),(0,0)"), text("(3,3),(2,2)")]), "{(1,1),(0,0);(3,3),(2,2)}"),
        ("int2vector", text("1 2"), "1 2"),
    ];
    // In the server's text, whatever the value's own cast to text does.
    for (ty, value, expected) in cases {
        let sql = match ty {
            "int2vector" => "SELECT array_to_string($1::int2vector, ' ')".into(),
            _ => format!("SELECT format('%s', $1::{ty})"),
        };
        let sql = sql.replace("$1::bool)", "($1::bool)::text)");
        let got = db.query(&sql, std::slice::from_ref(&value)).await;
        let got = got.unwrap_or_else(|error| panic!("{value:?} to {ty}: {error}"));
        assert_eq!(got.rows[0][0], crate::support::Py::Str(expected.into()), "{value:?} to {ty}");
        let sql = format!("SELECT $1::{ty} IS NULL");
        assert_eq!(db.value(&sql, &[P::None]).await, "True", "{ty}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_named_and_not_sent() {
    let db = db().await;
    db.query("CREATE TYPE hidden AS (a int, b text)", &[]).await.unwrap();
    let deep = (0..7).fold(P::Int(1), |inner, _| P::List(vec![inner]));
    let cases: Vec<(&str, P, &str)> = vec![
        ("int2", P::Int(32768), "$1: the value is out of range (int for type int2)"),
        ("int4", P::Int(1 << 31), "$1: the value is out of range (int for type int4)"),
        ("int8", P::Int(1 << 63), "$1: the value is out of range (int for type int8)"),
        ("oid", P::Int(-1), "$1: the value is out of range (int for type oid)"),
        ("float8", P::Int((1 << 53) + 1), "$1: the value is out of range (int for type float8)"),
        ("float8", P::Int((1 << 100) + 1), "$1: the value is out of range (int for type float8)"),
        ("float4", P::Float(1e300), "$1: the value is out of range (float for type float4)"),
        ("int4", P::Float(1.0), "$1: the value is of the wrong kind (float for type int4)"),
        ("int4", P::Bool(true), "$1: the value is of the wrong kind (bool for type int4)"),
        ("text", P::Int(1), "$1: the value is of the wrong kind (int for type text)"),
        ("bool", P::Int(1), "$1: the value is of the wrong kind (int for type bool)"),
        ("numeric", P::Bool(true), "$1: the value is of the wrong kind (bool for type numeric)"),
        ("text", P::Bytes(vec![1]), "$1: the value is of the wrong kind (bytes for type text)"),
        ("date", P::Int(1), "$1: the value is of the wrong kind (int for type date)"),
        ("jsonb", ints(&[1]), "$1: the value is of the wrong kind (list for type jsonb)"),
        ("uuid", P::Bytes(vec![1]), "$1: a uuid takes 16 bytes (bytes for type uuid)"),
        ("timestamp", text("2024-06-01T12:00:00+02:00"), "$1: the type keeps no offset from UTC"),
        (
            "timestamp[]",
            P::List(vec![text("2024-06-01T12:00-00:30")]),
            "$1: the type keeps no offset from UTC",
        ),
        (
            "tsrange",
            P::Tuple(vec![P::None, text("2024-06-01T12:00-05:00"), text("[)")]),
            "$1: the type keeps no offset from UTC",
        ),
        ("text", text("a\0b"), "$1: a text with a null character cannot be sent (text for type text)"),
        ("int4[]", P::Int(1), "$1: the value is of the wrong kind (int for type int4[])"),
        ("int4[]", P::List(vec![P::Float(1.5)]), "$1: the value is of the wrong kind (list for type int4[])"),
        ("int2[]", ints(&[40000]), "$1: the value is out of range (list for type int2[])"),
        (
            "int4[]",
            P::List(vec![ints(&[1, 2]), ints(&[3])]),
            "$1: the lists of an array are not of equal length and depth (list for type int4[])",
        ),
        (
            "date[]",
            P::List(vec![text("2024-01-01"), P::List(vec![])]),
            "$1: the lists of an array are not of equal length and depth (list for type date[])",
        ),
        ("int4[]", P::List(vec![P::List(vec![]), P::Int(1)]), "$1: the lists of an array are not of equal"),
        ("int4[]", deep, "$1: an array has at most 6 dimensions (list for type int4[])"),
        ("date[]", ints(&[1]), "$1: the value is of the wrong kind (list for type date[])"),
        ("int4range", ints(&[1, 2]), "$1: a range is a lower bound, an upper bound and"),
        ("int4range", P::Tuple(vec![P::Int(1), P::Int(2), text("[[")]), "$1: the value is out of range"),
        ("int4multirange", P::Tuple(vec![P::Int(1)]), "$1: a range is a lower bound, an upper bound and"),
        ("point", ints(&[1]), "$1: the value has not the parts of its geometric type"),
        ("circle", ints(&[1, 2]), "$1: the value has not the parts of its geometric type"),
        ("path", ints(&[1, 2]), "$1: the value has not the parts of its geometric type"),
        ("interval", ints(&[1, 2]), "$1: the value is of the wrong kind (list for type interval)"),
        ("int4", P::Dict(vec![]), "$1: the value is of the wrong kind (dict for type int4)"),
        ("hidden", P::Tuple(vec![P::Int(1)]), "$1: the composite type has 2 fields (tuple for type hidden)"),
    ];
    for (ty, value, message) in cases {
        let error = db.error(&format!("SELECT $1::{ty}"), std::slice::from_ref(&value)).await;
        assert_eq!(error.kind, PgErrorKind::Usage, "{value:?} to {ty}");
        assert!(error.message.starts_with(message), "{value:?} to {ty}: {}", error.message);
        assert!(!error.retryable);
    }
    let error = db.error("SELECT $1::text", &[P::Int(1)]).await;
    assert!(error.report.unwrap().hint.unwrap().contains("cast"));
}

#[tokio::test]
async fn a_wrong_count_is_named() {
    let db = db().await;
    for (sql, params, message) in [
        ("SELECT 1", vec![P::None], "the statement takes 0 parameters, 1 were given"),
        ("SELECT $1::int, $2::int", vec![P::None], "the statement takes 2 parameters, 1 were given"),
    ] {
        let error = db.error(sql, &params).await;
        assert_eq!((error.kind, error.message.as_str()), (PgErrorKind::Usage, message));
    }
}

#[tokio::test]
async fn what_the_server_cannot_parse_is_its_error() {
    let db = db().await;
    let error = db.error("SELECT $1::date", &[text("someday")]).await;
    assert_eq!((error.kind, error.sqlstate()), (PgErrorKind::Database, Some("22007")));
}

#[tokio::test]
async fn domains_and_enums_take_what_their_base_takes() {
    let db = db().await;
    for sql in [
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE DOMAIN small AS int CHECK (value < 10)",
        "CREATE TABLE made (m mood, ms mood[], s small, ss small[])",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    let params = [text("ok"), P::List(vec![text("sad"), P::None]), P::Int(7), ints(&[1, 2])];
    db.query("INSERT INTO made VALUES ($1, $2, $3, $4)", &params).await.unwrap();
    assert_eq!(
        db.value("SELECT format('%s', made) FROM made", &[]).await,
        "'(ok,\"{sad,NULL}\",7,\"{1,2}\")'"
    );
    let error = db.error("INSERT INTO made (s) VALUES ($1)", &[P::Int(10)]).await;
    assert_eq!(error.report.unwrap().data_type.as_deref(), Some("small"));
}

#[tokio::test]
async fn many_parameters_pass() {
    let db = db().await;
    let count = 1600;
    let sum = (1..=count).map(|n| format!("${n}::int8")).collect::<Vec<_>>().join(" + ");
    let params: Vec<P> = (1..=count).map(P::Int).collect();
    assert_eq!(db.value(&format!("SELECT {sum}"), &params).await, (count * (count + 1) / 2).to_string());
}

#[tokio::test]
async fn a_block_that_is_none_or_too_long_is_refused() {
    let limits = fasterapi_postgres::PoolLimits { max_parameter_bytes: 100, ..one_session() };
    let db = crate::support::db_with(limits).await;
    let run = async |block: &[u8]| db.database().query("SELECT 1", block).await.unwrap_err();
    for block in [b"".as_slice(), b"x", b"(\xff\xff\xff\x7f", &pack(&[text(&"x".repeat(100))])] {
        assert_eq!(run(block).await.kind, PgErrorKind::Usage);
    }
    assert_eq!(db.error(&format!("SELECT '{}'", "x".repeat(100)), &[]).await.kind, PgErrorKind::Usage);
}

fn any_param() -> impl Strategy<Value = P> {
    let leaf = prop_oneof![
        Just(P::None),
        any::<bool>().prop_map(P::Bool),
        any::<i32>().prop_map(|value| P::Int(value.into())),
        any::<i128>().prop_map(P::Int),
        any::<f64>().prop_map(P::Float),
        ".{0,12}".prop_map(P::Text),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(P::Bytes),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let items = proptest::collection::vec(inner, 0..4);
        (items, any::<bool>()).prop_map(|(items, tuple)| if tuple { P::Tuple(items) } else { P::List(items) })
    })
}

/// Any value to any type ends in a result or an error, and the one session goes on working.
#[test]
fn any_value_to_any_type_leaves_the_session_whole() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(crate::support::db_with(one_session()));
    let types = [
        "bool",
        "int2",
        "int4",
        "int8",
        "oid",
        "float4",
        "float8",
        "numeric",
        "text",
        "bytea",
        "uuid",
        "json",
        "jsonb",
        "date",
        "timestamptz",
        "interval",
        "inet",
        "int4range",
        "point",
        "int4[]",
        "text[]",
        "numeric[]",
        "date[]",
        "uuid[]",
        "jsonb[]",
        "int4range[]",
        "tsvector",
        "money",
        "circle",
        "path[]",
        "nummultirange",
        "daterange",
        "made",
        "made[]",
    ];
    runtime.block_on(db.query("CREATE TYPE made AS (a int, b numeric[], c interval)", &[])).unwrap();
    let pid = runtime.block_on(db.value("SELECT pg_backend_pid()", &[]));
    let cases = (any_param(), prop::sample::select(types.to_vec()));
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((param, ty) in cases)| {
        runtime.block_on(async {
            if let Err(error) = db.query(&format!("SELECT $1::{ty}"), &[param]).await {
                prop_assert!(matches!(error.kind, PgErrorKind::Usage | PgErrorKind::Database), "{error:?}");
            }
            Ok(())
        })?;
    });
    assert_eq!(runtime.block_on(db.value("SELECT pg_backend_pid()", &[])), pid);
}
