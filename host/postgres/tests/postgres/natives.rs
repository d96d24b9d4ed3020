//! Documents that the host writes, against the server's own text of the same values: each type's edges, and values made
//! at random.

use fasterapi_postgres::{Format, PgErrorKind, PoolLimits};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use crate::{
    documents::document,
    support::{Db, P, Py, db, db_with, db_with_config, one_session, pack, superuser, text},
};

/// What the server writes itself of a statement.
async fn served(db: &Db, sql: &str, params: &[P]) -> String {
    let sql = format!("SELECT '[' || string_agg(to_json(q)::text, ',') || ']' FROM ({sql}) AS q");
    match db.query(&sql, params).await.unwrap().rows.remove(0).remove(0) {
        Py::Str(text) => text,
        other => panic!("{other}"),
    }
}

async fn copied(db: &Db, sql: &str) -> String {
    let copy = format!("COPY ({sql}) TO STDOUT WITH (FORMAT csv, HEADER)");
    let mut copy = db.database().copy_out(&copy).await.unwrap();
    let mut whole = Vec::new();
    while let Some(part) = copy.next().await.unwrap() {
        whole.extend(part);
    }
    String::from_utf8(whole).unwrap()
}

/// The first part where two texts differ, so that a failure can be read.
fn assert_same(ours: &str, theirs: &str, what: &str) {
    if ours != theirs {
        let at = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
        let part = |text: &str| {
            let bytes = text.as_bytes();
            let end = bytes.len().min(at + 60);
            String::from_utf8_lossy(&bytes[at.saturating_sub(40).min(end)..end]).into_owned()
        };
        panic!("{what}, at {at}:\n  ours   {}\n  theirs {}", part(ours), part(theirs));
    }
}

/// All three formats.
async fn same(db: &Db, sql: &str) {
    let json = document(db, sql, &[], Format::Json).await.unwrap();
    assert_same(&json, &served(db, sql, &[]).await, sql);
    let lines = document(db, sql, &[], Format::NdJson).await.unwrap();
    let joined = format!("[{}]", lines.trim_end_matches('\n').replace('\n', ","));
    assert_same(&joined, &json.replace(['\n', '\r'], " "), sql);
    assert_same(&document(db, sql, &[], Format::Csv).await.unwrap(), &copied(db, sql).await, sql);
}

/// Whether the host writes such a document, by the statement that its server sees.
async fn is_native(db: &Db, columns: &str, format: Format) -> bool {
    let seen = "(SELECT left(query, 8) FROM pg_stat_activity WHERE pid = pg_backend_pid())";
    let sql = format!("/* mine */ SELECT {seen} AS seen, {columns}");
    document(db, &sql, &[], format).await.unwrap().contains("/* mine")
}

/// Types that the host writes, with their edges.
const EDGES: &[(&str, &[&str])] = &[
    ("bool", &["true", "false"]),
    ("int2", &["-32768", "0", "32767"]),
    ("int4", &["-2147483648", "7", "2147483647"]),
    ("int8", &["-9223372036854775808", "0", "9223372036854775807"]),
    (
        "float4",
        &["NaN", "-Infinity", "Infinity", "-0", "1e-45", "3.4028235e38", "1e6", "999999", "0.0001", "1e-5"],
    ),
    (
        "float8",
        &["NaN", "-Infinity", "Infinity", "-0", "5e-324", "1.7976931348623157e308", "1e15", "1e23", "0.1"],
    ),
    (
        "numeric",
        &[
            "NaN",
            "-Infinity",
            "Infinity",
            "0",
            "0.00",
            "-1e-20",
            "1e400",
            "10000",
            "0.0001",
            "99999999.9999999990",
            "1e131071",
        ],
    ),
    (
        "text",
        &[
            "",
            "größe 🐘",
            "a\"b\\c",
            "\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f}\u{7f}",
            "NULL",
            "null",
            "{a,b}",
            "\\.",
            " x ",
        ],
    ),
    ("varchar", &["it's", "a,b"]),
    ("bpchar", &["a   "]),
    ("name", &["pg_class"]),
    ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"]),
    (
        "date",
        &[
            "infinity",
            "-infinity",
            "4713-01-01 BC",
            "0001-12-31 BC",
            "0001-01-01",
            "5874897-12-31",
            "2024-02-29",
        ],
    ),
    ("time", &["00:00", "24:00", "23:59:59.999999", "12:00:00.5"]),
    (
        "timestamp",
        &[
            "infinity",
            "-infinity",
            "4714-11-24 00:00:00 BC",
            "294276-12-31 23:59:59.999999",
            "2024-02-29 12:00",
            "1999-12-31 23:59:59.100",
        ],
    ),
    (
        "timestamptz",
        &[
            "infinity",
            "-infinity",
            "0044-03-15 12:00+00 BC",
            "294276-12-31 23:59:59.999999+00",
            "2024-06-01 12:00:00.000001+02",
        ],
    ),
    ("json", &["{\"a\":  1e400,\n \"b\" : [ ]}", "\"x\"", "null", "1\r\n"]),
    ("jsonb", &["{\"b\":  1, \"a\": [\"\\u00fc\\n\", 1.50]}", "null", "\"\""]),
    ("bytea", &["", "\\x00ff5c22"]),
];

#[tokio::test]
async fn the_edges_of_each_type_are_the_servers() {
    let db = db().await;
    for (ty, values) in EDGES {
        let literal = |value: &&str| format!("E'{}'::{ty}", value.replace('\\', "\\\\").replace('\'', "\\'"));
        let all: Vec<String> = values.iter().map(literal).collect();
        let rows = all.iter().map(|value| format!("({value}, 1)")).collect::<Vec<_>>().join(", ");
        same(&db, &format!("SELECT * FROM (VALUES {rows}, (NULL, NULL)) AS v(\"ke\"\"y\\\", n)")).await;
        // Alone on its line, and in arrays of every shape.
        same(&db, &format!("SELECT v FROM (VALUES {rows}) AS v(v, n)")).await;
        let whole = all.join(", ");
        let first = &all[0];
        for array in [
            format!("ARRAY[{whole}, NULL]"),
            format!("ARRAY[{first}]"),
            format!("'{{}}'::{ty}[]"),
            format!("ARRAY[[{first}, NULL], [NULL, {first}]]"),
            format!("array_append('[0:0]={{NULL}}'::{ty}[], {first})"),
            format!("NULL::{ty}[]"),
        ] {
            same(&db, &format!("SELECT {array} AS a, {array} AS a")).await;
            same(&db, &format!("SELECT {array} AS a")).await;
        }
        for format in [Format::Json, Format::NdJson, Format::Csv] {
            assert!(is_native(&db, &format!("{first}, ARRAY[{first}]"), format).await, "{ty} {format:?}");
        }
    }
}

fn floats(runner: &mut TestRunner) -> Vec<f64> {
    let around = |value: f64| [value, value.next_up(), value.next_down(), value * 0.5, value * 5.0];
    let mut all: Vec<f64> = (-1074..1024).flat_map(|power| around(2_f64.powi(power))).collect();
    all.extend((-323..309).flat_map(|power| around(format!("1e{power}").parse().unwrap())));
    let any = any::<u64>().prop_map(f64::from_bits);
    // Few digits in either base: where decimals lie half-way.
    let short = (1_u64..1 << 54, -60..60).prop_map(|(mantissa, power)| mantissa as f64 * 2_f64.powi(power));
    let decimal = (1_u64..1_000_000, -30..30).prop_map(|(d, e)| format!("{d}e{e}").parse::<f64>().unwrap());
    let ties =
        (1_u64 << 49..1 << 52, 1..8).prop_map(|(whole, eighths)| whole as f64 + f64::from(eighths) / 8.0);
    let one = prop_oneof![any, short, decimal, ties];
    all.extend(prop::collection::vec(one, 20_000).new_tree(runner).unwrap().current());
    all
}

#[tokio::test]
async fn floats_of_all_sizes_are_the_servers() {
    let db = db().await;
    let mut runner = TestRunner::new(Config::default());
    let doubles = floats(&mut runner);
    let singles = prop::collection::vec(any::<u32>().prop_map(f32::from_bits), 20_000);
    let mut singles = singles.new_tree(&mut runner).unwrap().current();
    let around = |value: f32| [value, value.next_up(), value.next_down(), value * 5.0];
    singles.extend((-149..128).flat_map(|power| around(2_f64.powi(power) as f32)));
    singles.extend((-45..39).flat_map(|power| around(format!("1e{power}").parse().unwrap())));
    singles.extend((0..4_000).map(|at| 1_048_576.0 + at as f32 * 0.125));
    for (ty, values) in
        [("float8", doubles), ("float4", singles.iter().map(|single| f64::from(*single)).collect())]
    {
        for part in values.chunks(5_000) {
            let list = [P::List(part.iter().map(|value| P::Float(*value)).collect())];
            let sql = format!("SELECT v FROM unnest($1::{ty}[]) AS v");
            let ours = document(&db, &sql, &list, Format::Json).await.unwrap();
            let theirs = served(&db, &sql, &list).await;
            for ((ours, theirs), value) in ours.split(',').zip(theirs.split(',')).zip(part) {
                assert_eq!(ours, theirs, "{value:e} as {ty}");
            }
            assert_eq!(ours.len(), theirs.len());
        }
    }
}

#[tokio::test]
async fn numerics_of_all_sizes_are_the_servers() {
    let db = db().await;
    let mut runner = TestRunner::new(Config::default());
    let one = "-?(0|[1-9][0-9]{0,40}|[1-9]0{0,30})([.](0{0,20}[0-9]{0,30}[0-9]))?";
    let values = prop::collection::vec(one, 3_000).new_tree(&mut runner).unwrap().current();
    let list = [P::Text(format!("{{{}}}", values.join(",")))];
    for sql in ["SELECT v FROM unnest($1::numeric[]) AS v", "SELECT $1::numeric[] AS v"] {
        let ours = document(&db, sql, &list, Format::Json).await.unwrap();
        assert_same(&ours, &served(&db, sql, &list).await, sql);
    }
}

#[tokio::test]
async fn rows_of_all_types_are_the_servers() {
    let db = db().await;
    db.query(
        "CREATE TABLE made AS SELECT i, i % 2 = 0 AS b, (random() * 60000 - 30000)::int2 AS small,
            (random() * 1e18)::int8 AS big, (random() * 10 ^ (random() * 40 - 20))::float8 AS f8,
            (random() * 10 ^ (random() * 40 - 20))::float4 AS f4, (random() * 10 ^ (i % 20))::numeric(40, 12) AS n,
            'infinity'::numeric AS inf, (SELECT string_agg(chr((1 + random() * 300)::int), '')
            FROM generate_series(1, i % 40)) AS t, gen_random_uuid() AS u, '0001-01-01'::date + (random() * 4e6)::int AS d,
            '4713-01-02 BC'::timestamp + random() * interval '290000 years' AS ts,
            '2000-01-01'::timestamptz + random() * interval '30 years' AS tz,
            '00:00'::time + random() * interval '24 hours' AS c, sha256(i::text::bytea) AS h,
            jsonb_build_object('a', i, 'b', array[i, null], 'c', chr(1 + i % 200)) AS jb,
            json_build_object('a', i, 'q', '\"') AS j, ARRAY[random(), NULL] AS af,
            ARRAY[chr(1 + i % 200), 'x', ''] AS at, ARRAY[now() + i * interval '1 h'] AS atz
        FROM generate_series(1, 3000) AS i",
        &[],
    )
    .await
    .unwrap();
    same(&db, "SELECT * FROM made ORDER BY i").await;
}

#[tokio::test]
async fn what_the_host_cannot_prove_is_the_servers() {
    let db = db().await;
    db.query("CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 1'", &[]).await.unwrap();
    for columns in
        ["'1 day'::interval", "ROW(1, 'x')", "int4range(1, 2)", "own()", "'a'::\"char\"", "1::money"]
    {
        for format in [Format::Json, Format::Csv] {
            assert!(!is_native(&db, columns, format).await, "{columns}");
        }
    }
    same(&db, "SELECT '1 day'::interval AS i, ROW(1, 'x') AS r, 1.5::float8 AS f").await;
}

/// Settings of the role's or the database's own.
#[tokio::test]
async fn other_settings_are_honoured() {
    for (setting, value, json, csv) in [
        ("timezone", "Asia/Kathmandu", "now()", "now()"),
        ("extra_float_digits", "0", "0.1::float8 + 0.2::float8", "ARRAY[0.1::float4]"),
        ("bytea_output", "escape", "'\\x00ff'::bytea", "'\\x00ff'::bytea"),
        ("datestyle", "SQL, DMY", "'1 day'::interval", "date '2024-02-29'"),
    ] {
        let db = db().await;
        let sql = format!("ALTER DATABASE {} SET {setting} = '{value}'", db.name);
        db.query(&sql, &[]).await.unwrap();
        let db = db_with_config(&db.name, superuser().database(&db.name).with_limits(one_session()));
        assert!(!is_native(&db, json, Format::Json).await, "{setting}");
        assert!(!is_native(&db, csv, Format::Csv).await, "{setting}");
        assert!(is_native(&db, "1, date '2024-02-29'", Format::Json).await, "{setting}");
        let sql = "SELECT '2024-06-01 12:00+00'::timestamptz AS at, 0.1::float8 + 0.2::float8 AS f, '\\x00ff'::bytea AS b,
            ARRAY[date '2024-02-29'] AS d";
        same(&db, sql).await;
    }
}

/// A statement that is kept goes on to be right when its table has changed.
#[tokio::test]
async fn a_table_that_changes_is_written_as_it_is() {
    let db = db_with(one_session()).await;
    let other = db.another();
    db.query("CREATE TABLE t AS SELECT 1 AS a, 0 AS n", &[]).await.unwrap();
    for (change, expected) in [
        ("SELECT", "{\"a\":1,\"n\":0}\n"),
        ("ALTER TABLE t ADD b text DEFAULT 'x'", "{\"a\":1,\"n\":0,\"b\":\"x\"}\n"),
        ("ALTER TABLE t ALTER a TYPE interval USING '1 day'", "{\"a\":\"1 day\",\"n\":0,\"b\":\"x\"}\n"),
        ("ALTER TABLE t ADD c int DEFAULT 2", "{\"a\":\"1 day\",\"n\":0,\"b\":\"x\",\"c\":2}\n"),
        ("ALTER TABLE t DROP a", "{\"n\":0,\"b\":\"x\",\"c\":2}\n"),
    ] {
        other.query(change, &[]).await.unwrap();
        same(&db, "SELECT * FROM t").await;
        for sql in ["SELECT * FROM t", "UPDATE t SET n = n RETURNING *"] {
            assert_eq!(document(&db, sql, &[], Format::NdJson).await.unwrap(), expected, "{change}");
        }
    }
}

#[tokio::test]
async fn a_row_that_prints_larger_than_it_came_is_stopped() {
    let db = db_with(PoolLimits { max_result_bytes: 1 << 20, ..PoolLimits::default() }).await;
    for (values, format) in [("ARRAY", Format::Json), ("ARRAY", Format::Csv), ("string_agg", Format::NdJson)]
    {
        let value =
            if values == "ARRAY" { "array_agg(1e131071 + 0 * i)" } else { "array_agg(ARRAY[1e131071, i])" };
        let sql = format!("SELECT {value} AS v FROM generate_series(1, 100) AS i");
        let error = document(&db, &sql, &[], format).await.unwrap_err();
        assert_eq!(error.kind, PgErrorKind::TooLarge, "{format:?}");
    }
    assert_eq!(document(&db, "SELECT 1 AS a", &[], Format::Json).await.unwrap(), "[{\"a\":1}]");
}

#[tokio::test]
async fn what_gives_no_columns_is_as_it_was() {
    let db = db().await;
    db.query("CREATE TABLE t (i int)", &[]).await.unwrap();
    for format in [Format::Json, Format::NdJson, Format::Csv] {
        assert!(document(&db, "INSERT INTO t VALUES (1)", &[], format).await.is_err());
    }
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "0");
    assert_eq!(
        document(&db, "SELECT FROM (VALUES (1), (2)) AS v", &[], Format::Json).await.unwrap(),
        "[{},{}]"
    );
    assert_eq!(
        document(&db, "SELECT $1::text AS \"ü\n\"", &[text("x")], Format::Csv).await.unwrap(),
        "\"ü\n\"\nx\n"
    );
    let sql = "INSERT INTO t SELECT generate_series(1, 100000) RETURNING i";
    let (database, none) = (db.database(), pack(&[]));
    let given_up = database.document(sql, &none, Format::Json);
    drop(given_up.await.unwrap());
    assert_eq!(db.value("SELECT count(*) FROM t", &[]).await, "0");
}
