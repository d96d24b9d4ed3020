//! Results: every type, compared with what is known and with the server's own text.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::support::{P, Py, db, pack};

/// An expression, its kind, and its value as Python shows it.
const VALUES: &[(&str, &str, &str)] = &[
    ("true", "plain", "True"),
    ("false", "plain", "False"),
    ("(-32768)::int2", "plain", "-32768"),
    ("2147483647::int4", "plain", "2147483647"),
    ("(-9223372036854775808)::int8", "plain", "-9223372036854775808"),
    ("9223372036854775807", "plain", "9223372036854775807"),
    ("4294967295::oid", "plain", "4294967295"),
    ("'pg_class'::regclass", "plain", "1259"),
    ("'18446744073709551615'::xid8", "plain", "18446744073709551615"),
    ("0.1::float4", "plain", "0.1"),
    ("'3.4028235e38'::float4", "plain", "3.4028235e38"),
    ("'1e-45'::float4", "plain", "1e-45"),
    ("1048576.25::float4", "plain", "1048576.2"),
    ("0.1::float8", "plain", "0.1"),
    ("'-1.7976931348623157e308'::float8", "plain", "-1.7976931348623157e308"),
    ("'Infinity'::float8", "plain", "inf"),
    ("'-Infinity'::float4", "plain", "-inf"),
    ("'NaN'::float8", "plain", "nan"),
    ("'plain'::text", "plain", "'plain'"),
    ("'größe 🐘'::text", "plain", "'größe 🐘'"),
    ("''::text", "plain", "''"),
    ("'ab'::varchar(5)", "plain", "'ab'"),
    ("'ab'::bpchar(4)", "plain", "'ab  '"),
    ("'ab'::name", "plain", "'ab'"),
    ("'a'::\"char\"", "plain", "'a'"),
    ("''::\"char\"", "plain", "''"),
    ("'untyped'", "plain", "'untyped'"),
    ("pg_sleep(0)", "plain", "''"),
    ("B'10110'", "plain", "'10110'"),
    ("''::varbit", "plain", "''"),
    ("'08:00:2b:01:02:03'::macaddr", "plain", "'08:00:2b:01:02:03'"),
    ("'08:00:2b:01:02:03:04:05'::macaddr8", "plain", "'08:00:2b:01:02:03:04:05'"),
    ("'\\x00ff61'::bytea", "plain", "b'\\x00\\xffa'"),
    ("0::numeric", "numeric", "'0'"),
    ("0.00::numeric", "numeric", "'0.00'"),
    ("1.50::numeric", "numeric", "'1.50'"),
    ("-0.00012::numeric", "numeric", "'-0.00012'"),
    ("12345678901234567890.123456789::numeric", "numeric", "'12345678901234567890.123456789'"),
    ("1e20::numeric", "numeric", "'100000000000000000000'"),
    ("10000::numeric", "numeric", "'10000'"),
    ("1e-20::numeric", "numeric", "'0.00000000000000000001'"),
    ("'NaN'::numeric", "numeric", "'NaN'"),
    ("'Infinity'::numeric", "numeric", "'Infinity'"),
    ("'-Infinity'::numeric", "numeric", "'-Infinity'"),
    (
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
        "uuid",
        "b'\\xa0\\xee\\xbc\\x99\\x9c\\x0bN\\xf8\\xbbmk\\xb9\\xbd8\\n\\x11'",
    ),
    ("'{\"a\" : 1}'::json", "json", "'{\"a\" : 1}'"),
    ("'{\"a\" : [1, null]}'::jsonb", "json", "'{\"a\": [1, null]}'"),
    ("'10.1.2.3'::inet", "inet", "'10.1.2.3'"),
    ("'10.1.2.3/8'::inet", "inet", "'10.1.2.3/8'"),
    ("'::1'::inet", "inet", "'::1'"),
    ("'2001:db8::/32'::cidr", "cidr", "'2001:db8::/32'"),
    ("'10.0.0.1/32'::cidr", "cidr", "'10.0.0.1/32'"),
    ("'::ffff:1.2.3.4'::inet", "inet", "'::ffff:1.2.3.4'"),
    ("'::1.2.3.4'::inet", "inet", "'::1.2.3.4'"),
    ("'2001:0:0:1::1/64'::inet", "inet", "'2001:0:0:1::1/64'"),
    ("'2024-02-29'::date", "date", "'2024-02-29'"),
    ("'0001-01-01'::date", "date", "'0001-01-01'"),
    ("'9999-12-31'::date", "date", "'9999-12-31'"),
    ("'10000-01-01'::date", "date", "('10000-01-01',)"),
    ("'0044-03-15 BC'::date", "date", "('0044-03-15 BC',)"),
    ("'4713-01-01 BC'::date", "date", "('4713-01-01 BC',)"),
    ("'infinity'::date", "date", "('infinity',)"),
    ("'-infinity'::date", "date", "('-infinity',)"),
    ("'23:59:59.000001'::time", "time", "'23:59:59.000001'"),
    ("'00:00'::time", "time", "'00:00:00'"),
    ("'24:00'::time", "time", "('24:00:00',)"),
    ("'12:00+05:30'::timetz", "timetz", "'12:00:00+05:30'"),
    ("'12:00:00.5-08'::timetz", "timetz", "'12:00:00.500000-08:00'"),
    ("'12:00+00:00:07'::timetz", "timetz", "'12:00:00+00:00:07'"),
    ("'24:00-05:30'::timetz", "timetz", "('24:00:00-05:30',)"),
    ("'24:00+03'::timetz", "timetz", "('24:00:00+03',)"),
    ("'2024-02-29 12:00'::timestamp", "timestamp", "'2024-02-29T12:00:00'"),
    ("'1999-12-31 23:59:59.999999'::timestamp", "timestamp", "'1999-12-31T23:59:59.999999'"),
    ("'0001-01-01 BC'::timestamp", "timestamp", "('0001-01-01 00:00:00 BC',)"),
    ("'12345-01-01 01:02:03.25'::timestamp", "timestamp", "('12345-01-01 01:02:03.25',)"),
    ("'infinity'::timestamp", "timestamp", "('infinity',)"),
    ("'2024-06-01 12:00+02'::timestamptz", "timestamptz", "'2024-06-01T10:00:00+00:00'"),
    ("'0044-03-15 12:00+00 BC'::timestamptz", "timestamptz", "('0044-03-15 12:00:00+00 BC',)"),
    ("'-infinity'::timestamptz", "timestamptz", "('-infinity',)"),
    ("'1 year 2 mons -3 days 04:05:06.789'::interval", "interval", "(14, -3, 14706789000)"),
    ("'-00:00:00.000001'::interval", "interval", "(0, 0, -1)"),
    ("'00:00'::interval", "interval", "(0, 0, 0)"),
    ("array[1, null, 3]", "plain", "[1, None, 3]"),
    ("array[[1, 2], [3, 4]]", "plain", "[[1, 2], [3, 4]]"),
    ("'[0:1]={7,8}'::int2[]", "plain", "[7, 8]"),
    ("array[]::text[]", "plain", "[]"),
    ("array['a,b', null, '\"']", "plain", "['a,b', None, '\"']"),
    ("array[true]", "plain", "[True]"),
    ("array[1.5, null]::numeric[]", "numeric[]", "['1.5', None]"),
    ("array['2024-01-01', 'infinity']::date[]", "date[]", "['2024-01-01', ('infinity',)]"),
    ("array['{}']::jsonb[]", "json[]", "['{}']"),
    ("array['1 day']::interval[]", "interval[]", "[(0, 1, 0)]"),
    ("'1 2'::int2vector", "plain", "[1, 2]"),
    ("'[1,5)'::int4range", "range", "(1, 5, '[)')"),
    ("'(,7.50]'::numrange", "range", "(None, '7.50', '(]')"),
    ("'(,)'::int8range", "range", "(None, None, '()')"),
    ("'empty'::int4range", "range", "(None, None, None)"),
    ("'[2024-01-01,infinity)'::daterange", "range", "('2024-01-01', ('infinity',), '[)')"),
    ("'[2024-01-01 12:00,]'::tsrange", "range", "('2024-01-01T12:00:00', None, '[)')"),
    ("'{[1,3),[5,)}'::int4multirange", "multirange", "((1, 3, '[)'), (5, None, '[)'))"),
    ("'{}'::datemultirange", "multirange", "()"),
    ("array['[1,3)', null]::int4range[]", "range[]", "[(1, 3, '[)'), None]"),
    ("array['{[1,3)}']::int4multirange[]", "multirange[]", "[((1, 3, '[)'),)]"),
    ("point(1, -2.5)", "point", "(1.0, -2.5)"),
    ("'{1,2,3}'::line", "line", "(1.0, 2.0, 3.0)"),
    ("'[(1,2),(3,4)]'::lseg", "lseg", "((1.0, 2.0), (3.0, 4.0))"),
    ("'(1,2),(3,4)'::box", "box", "((3.0, 4.0), (1.0, 2.0))"),
    ("'[(1,2),(3,4)]'::path", "path", "(((1.0, 2.0), (3.0, 4.0)), False)"),
    ("'((1,2),(3,NaN))'::path", "path", "(((1.0, 2.0), (3.0, nan)), True)"),
    ("'((1,2),(3,4),(5,Infinity))'::polygon", "polygon", "((1.0, 2.0), (3.0, 4.0), (5.0, inf))"),
    ("'<(1,2),0.1>'::circle", "circle", "((1.0, 2.0), 0.1)"),
    ("array['(1,2),(3,4)']::box[]", "box[]", "[((3.0, 4.0), (1.0, 2.0))]"),
    ("'a:1A,2 ''b c'':3B d\\\\\\''e:4C'::tsvector", "plain", r#""'a':1A,2 'b c':3B 'd\\\\''e':4C""#),
    ("''::tsvector", "plain", "''"),
    ("'b & !(a | c) <-> d:*A'::tsquery", "plain", r#""'b' & !( 'a' | 'c' ) <-> 'd':*A""#),
    ("'-12.34'::money", "plain", "'-$12.34'"),
    ("array['1'::money, null]", "plain", "['$1.00', None]"),
    ("'16/B374D848'::pg_lsn", "plain", "'16/B374D848'"),
    ("'(42,7)'::tid", "plain", "'(42,7)'"),
    ("'10:20:10,14,15'::pg_snapshot", "plain", "'10:20:10,14,15'"),
    ("'10:10:'::txid_snapshot", "plain", "'10:10:'"),
    ("'$.a[*] ? (@ > 1)'::jsonpath", "plain", r#"'$."a"[*]?(@ > 1)'"#),
    ("'1 2'::oidvector", "plain", "[1, 2]"),
    ("makeaclitem(10, 10, 'SELECT', false)::text IS NOT NULL", "plain", "True"),
    (
        "row(true, 1.5, null)",
        "record",
        "((('', 16, 'plain'), True), (('', 1700, 'numeric'), '1.5'), (('', 705, 'plain'), None))",
    ),
    (
        "row(row(1), array['1.5'::numeric])",
        "record",
        "((('', 2249, 'record'), ((('', 23, 'plain'), 1),)), (('', 1231, 'numeric[]'), ['1.5']))",
    ),
    ("array[row(1)]", "record[]", "[((('', 23, 'plain'), 1),)]"),
];

#[tokio::test]
async fn every_type_comes_out_as_its_kind_says() {
    let db = db().await;
    for (sql, kind, value) in VALUES {
        let answer = db.query(&format!("SELECT {sql} AS v"), &[]).await.unwrap();
        assert_eq!((answer.kind(), answer.rows[0][0].to_string().as_str()), (*kind, *value), "{sql}");
        assert_eq!(answer.columns[0].0, "v");
        assert_eq!(answer.affected, 1);
    }
}

#[tokio::test]
async fn what_only_some_servers_have_comes_out_too() {
    let db = db().await;
    match db.query("SELECT $1::xml", &[P::Text("<a/>".into())]).await {
        Ok(answer) => {
            assert_eq!((answer.kind(), answer.rows[0][0].to_string().as_str()), ("plain", "'<a/>'"))
        }
        Err(error) => assert_eq!(error.sqlstate(), Some("0A000"), "a server without libxml"),
    }
    let infinite = db.query("SELECT 'infinity'::interval, '-infinity'::interval", &[]).await;
    let version: u32 =
        db.value("SELECT current_setting('server_version_num')::int", &[]).await.parse().unwrap();
    if version >= 170_000 {
        let row = Py::Tuple(infinite.unwrap().rows.remove(0));
        assert_eq!(row.to_string(), "(('infinity',), ('-infinity',))");
    } else {
        assert_eq!(infinite.unwrap_err().kind, fasterapi_postgres::PgErrorKind::Database);
    }
}

/// The server's own text, for the kinds whose packed form is that text or close to it.
#[tokio::test]
async fn values_agree_with_the_servers_own_text() {
    let db = db().await;
    for (sql, kind, _) in VALUES {
        let sql = format!("SELECT {sql}, ({sql})::text");
        let sql = sql.replace("(pg_sleep(0))::text", "''");
        let row = db.query(&sql, &[]).await.unwrap().rows.remove(0);
        let Py::Str(theirs) = &row[1] else { panic!("{sql}") };
        let ours = match (&row[0], *kind) {
            (Py::Tuple(parts), "date" | "time" | "timetz" | "timestamp" | "timestamptz") => match &parts[0] {
                Py::Str(text) => text.clone(),
                other => panic!("{other:?}"),
            },
            (Py::Str(text), "timestamp" | "timestamptz" | "timetz" | "time") => postgres_style(text),
            // Its own cast to text takes the padding off, and shows the prefix of whole addresses.
            (Py::Str(text), "inet") => {
                let whole = if text.contains(':') { "/128" } else { "/32" };
                if text.contains('/') { text.clone() } else { format!("{text}{whole}") }
            }
            (Py::Str(text), _) => text.trim_end_matches(' ').to_owned(),
            (Py::Bool(value), _) => value.to_string(),
            (Py::Int(value), "plain") if !theirs.starts_with("pg_") => value.to_string(),
            (Py::Float(value), _) => {
                let their_value: f64 = theirs.parse().unwrap();
                assert!(
                    *value == their_value || value.is_nan() && their_value.is_nan(),
                    "{sql}: {value} {theirs}"
                );
                continue;
            }
            _ => continue,
        };
        assert_eq!(&ours, theirs, "{sql}");
    }
}

/// From ISO 8601 as packed to what Postgres prints.
fn postgres_style(iso: &str) -> String {
    let text = iso.replacen('T', " ", 1);
    let (text, offset) = match text.rfind(['+', '-']).filter(|at| *at > 7 && text.contains(':')) {
        Some(at) if !text[at..].contains(' ') => text.split_at(at),
        _ => (text.as_str(), ""),
    };
    let text = if text.contains('.') { text.trim_end_matches('0') } else { text };
    let offset = if offset.len() == 6 { offset.trim_end_matches(":00") } else { offset };
    format!("{text}{offset}")
}

#[tokio::test]
async fn null_is_none_in_every_type() {
    let db = db().await;
    for ty in [
        "bool", "int8", "float4", "text", "bytea", "numeric", "uuid", "jsonb", "date", "interval", "int4[]",
        "point",
    ] {
        assert_eq!(db.value(&format!("SELECT NULL::{ty}"), &[]).await, "None");
    }
}

#[tokio::test]
async fn made_types_come_out_as_what_they_are_made_of() {
    let db = db().await;
    for sql in [
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE DOMAIN small AS numeric CHECK (value < 10)",
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE TABLE made (m mood, ms mood[], s small, ss small[], p pair)",
        "INSERT INTO made VALUES ('ok', '{sad,NULL}', 1.5, '{2.5}', (1, 'x'))",
    ] {
        db.query(sql, &[]).await.unwrap();
    }
    let answer = db.query("SELECT m, ms, s, ss FROM made", &[]).await.unwrap();
    let kinds: Vec<&str> = answer.columns.iter().map(|column| column.2.as_str()).collect();
    assert_eq!(kinds, ["plain", "plain", "numeric", "numeric[]"]);
    assert_eq!(Py::Tuple(answer.rows[0].clone()).to_string(), "('ok', ['sad', None], '1.5', ['2.5'])");
}

#[tokio::test]
async fn an_empty_result_has_its_columns() {
    let db = db().await;
    let answer = db.query("SELECT 1 AS a, 'x'::text AS b, now() AS c WHERE false", &[]).await.unwrap();
    let columns: Vec<_> =
        answer.columns.iter().map(|(name, oid, kind)| (name.as_str(), *oid, kind.as_str())).collect();
    assert_eq!(columns, [("a", 23, "plain"), ("b", 25, "plain"), ("c", 1184, "timestamptz")]);
    assert_eq!((answer.rows.len(), answer.affected), (0, 0));
}

#[tokio::test]
async fn affected_rows_come_from_the_command_tag() {
    let db = db().await;
    let counted = async |sql| {
        let answer = db.query(sql, &[]).await.unwrap();
        (answer.affected, answer.columns.len(), answer.rows.len())
    };
    assert_eq!(counted("CREATE TABLE t (id int)").await, (0, 0, 0));
    assert_eq!(counted("INSERT INTO t SELECT generate_series(1, 5)").await, (5, 0, 0));
    assert_eq!(counted("UPDATE t SET id = id + 1 WHERE id > 2 RETURNING id").await, (3, 1, 3));
    assert_eq!(counted("DELETE FROM t").await, (5, 0, 0));
    assert_eq!(counted("").await, (0, 0, 0));
}

/// What reads our blocks is CPython, not this test's reader: they must agree.
#[tokio::test]
async fn python_reads_the_block() {
    let db = db().await;
    let all = VALUES.iter().map(|(sql, ..)| *sql).collect::<Vec<_>>().join(", ");
    let wide = (0..300).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    for sql in [
        format!("SELECT {all}"),
        format!("SELECT {wide}"),
        "SELECT repeat('ä', 1000), repeat('a', 256)".into(),
    ] {
        let block = db.database().query(&sql, &pack(&[])).await.unwrap();
        let answer = crate::support::Answer::read(&block);
        let mut python = Command::new("python3")
            .args(["-c", "import marshal, sys; print(repr(marshal.loads(sys.stdin.buffer.read())[2][0]))"])
            .env("PYTHONIOENCODING", "utf-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        python.stdin.take().unwrap().write_all(&block).unwrap();
        let output = python.wait_with_output().unwrap();
        let theirs = String::from_utf8(output.stdout).unwrap();
        let ours = Py::Tuple(answer.rows[0].clone()).to_string();
        // Two of Python's spellings are its own.
        let theirs = theirs.trim().replace("3.4028235e+38", "3.4028235e38").replace("e+308", "e308");
        assert_eq!(ours, theirs);
    }
}

#[tokio::test]
async fn a_database_in_another_encoding_is_no_danger() {
    let db = db().await;
    let name = format!("{}_ascii", db.name);
    let sql = format!("CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
    db.query(&sql, &[]).await.unwrap();
    let config = crate::support::superuser().database(&name);
    let databases =
        fasterapi_postgres::Databases::builder().grant(db.tenant.clone(), db.alias.clone(), config).build();
    let sql = "SELECT convert_from('\\xff'::bytea, 'SQL_ASCII')";
    let error = databases.database(&db.tenant, &db.alias).unwrap().query(sql, &pack(&[])).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("22021"), "{error}");
    let block = databases
        .database(&db.tenant, &db.alias)
        .unwrap()
        .query("SELECT $1::text", &pack(&[P::Text("é".into())]))
        .await;
    assert_eq!(crate::support::Answer::read(&block.unwrap()).rows[0][0].to_string(), "'é'");
}
