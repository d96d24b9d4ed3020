//! Types of users and of extensions, columns that only the server can read, and the law that what was read can be sent
//! back.

use crate::support::{Db, P, Py, db, one_session, pack, text};

async fn run(db: &Db, statements: &[&str]) {
    for sql in statements {
        db.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}

/// Types and values of them, to be read and sent back.
const ROUND_TRIPS: &[(&str, &[&str])] = &[
    ("bool", &["true"]),
    ("int8", &["-9223372036854775808", "0"]),
    ("float4", &["0.1", "NaN", "-Infinity", "1e-45"]),
    ("float8", &["1e300", "5e-324", "-0"]),
    ("numeric", &["NaN", "Infinity", "-1e-20", "1e400", "0.00"]),
    ("text", &["", "größe 🐘"]),
    ("bytea", &["\\x00ff"]),
    ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("xid8", &["18446744073709551615"]),
    ("regclass", &["pg_class"]),
    ("jsonb", &["{\"a\": [1]}", "\"text\""]),
    ("inet", &["10.0.0.1/8", "::1"]),
    ("varbit", &["10110"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    ("date", &["infinity", "-infinity", "0044-03-15 BC", "5874897-12-31", "2024-02-29"]),
    ("time", &["24:00", "23:59:59.999999"]),
    ("timetz", &["24:00-05:30", "12:00+00:00:07"]),
    (
        "timestamp",
        &["infinity", "4714-11-24 00:00:00 BC", "294276-12-31 23:59:59.999999", "2024-02-29 12:00"],
    ),
    (
        "timestamptz",
        &["-infinity", "0044-03-15 12:00+00 BC", "294276-12-31 23:59:59.999999+00", "2024-06-01 12:00+02"],
    ),
    (
        "interval",
        &[
            "1 year 2 mons -3 days 04:05:06.789",
            "-178000000 years",
            "2147483647 days",
            "-9223372036854775808 microseconds",
            "-0.000001 s",
        ],
    ),
    ("int4range", &["empty", "[1,5)", "(,)", "(,5)"]),
    ("numrange", &["(1.50,2]", "[-Infinity,NaN]"]),
    ("tstzrange", &["[2024-01-01 00:00+00,infinity]", "[,2024-01-01 00:00+00)"]),
    ("nummultirange", &["{}", "{(,1),[2,3.5]}"]),
    ("point", &["(1,-2.5)", "(NaN,Infinity)", "(1e-320,1e300)"]),
    ("line", &["{1,2,3}"]),
    ("lseg", &["[(1,2),(3,4)]"]),
    ("box", &["(3,4),(1,2)"]),
    ("path", &["[(1,2),(3,4)]", "((1,2),(3,4))"]),
    ("polygon", &["((1,2),(3,4),(5,6))"]),
    ("circle", &["<(1,2),0.1>"]),
    ("tsvector", &["'a':1A 'b c':2,3C", "'\\\\''':1"]),
    ("tsquery", &["'a' & !'b':*A"]),
    ("money", &["-12.34"]),
    ("pg_lsn", &["16/B374D848"]),
    ("tid", &["(42,7)"]),
    ("pg_snapshot", &["10:20:10,14,15"]),
    ("jsonpath", &["$.a"]),
    ("oidvector", &["1 2", ""]),
    ("\"char\"", &["a"]),
    ("int4[]", &["{{1,2},{3,NULL}}", "{}"]),
    ("text[]", &["{\"a,\\\"b\",NULL,\"NULL\",\"\"}"]),
    ("date[]", &["{infinity,2024-01-01,NULL}"]),
    ("int4range[]", &["{\"[1,5)\",empty,NULL}", "{{empty},{\"(,3)\"}}"]),
    ("box[]", &["{(3,4),(1,2);(7,8),(5,6)}"]),
    ("interval[]", &["{1 day,-1 mons}"]),
    ("nummultirange[]", &["{\"{[1,2)}\"}"]),
    ("mood", &["sad", "it's \"ok\""]),
    ("mood[]", &["{sad,NULL}"]),
    ("small", &["1.5"]),
    ("small[]", &["{1.5,2}"]),
    ("pair", &["(1,\"a \"\"b\\\\,)\")", "(,)", "(,\"\")"]),
    ("pair[]", &["{\"(1,x)\",NULL}", "{{\"(1,x)\"},{\"(2,)\"}}"]),
    (
        "nest",
        &[
            "(\"(1,x)\",\"{sad,NULL}\",\"[1,5)\",\"{\"\"(2,y)\"\"}\",1.50,infinity,\"1 day 00:00:01\",\"(1,2)\")",
        ],
    ),
    ("moods", &["[sad,\"it's \"\"ok\"\"\"]", "empty"]),
    ("single", &["()", "(\"\")", "(x)"]),
];

const MADE: &[&str] = &[
    "CREATE TYPE mood AS ENUM ('sad', 'it''s \"ok\"')",
    "CREATE DOMAIN small AS numeric CHECK (value < 10)",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE TYPE moods AS RANGE (subtype = mood)",
    "CREATE TYPE single AS (a text)",
    "CREATE TYPE nest AS (p pair, ms mood[], r int4range, ps pair[], s small, d date, i interval, at point)",
];

#[tokio::test]
async fn what_was_read_can_be_sent_back() {
    let db = db().await;
    run(&db, MADE).await;
    for (ty, values) in ROUND_TRIPS {
        for literal in *values {
            let sql = format!("SELECT '{}'::{ty}", literal.replace('\'', "''"));
            let value =
                db.query(&sql, &[]).await.unwrap_or_else(|e| panic!("{sql}: {e:?}")).rows.remove(0).remove(0);
            let given = db.value(&format!("SELECT format('%s', ({}))", &sql["SELECT ".len()..]), &[]).await;
            let back = db.query(&format!("SELECT format('%s', $1::{ty})"), &[P::from(&value)]).await;
            let back = back.unwrap_or_else(|error| panic!("{value} to {ty}: {error:?}"));
            assert_eq!(back.rows[0][0].to_string(), given, "{value} to {ty}");
        }
    }
}

#[tokio::test]
async fn types_of_users_tell_their_names_and_parts() {
    let db = db().await;
    run(&db, MADE).await;
    run(&db, &["CREATE SCHEMA app", "CREATE TYPE app.tag AS ENUM ('x')"]).await;
    let described = async |expression: &str| {
        let answer = db.query(&format!("SELECT {expression} AS v"), &[]).await.unwrap();
        let ty = answer.types[0].as_ref().map_or("None".into(), ToString::to_string);
        // The oids of what was made here differ from run to run.
        let ty = ty
            .split(", ")
            .map(|part| if part.parse::<u32>().is_ok_and(|oid| oid >= 16_384) { "_" } else { part });
        (answer.kind().to_owned(), ty.collect::<Vec<_>>().join(", "))
    };
    for (expression, kind, ty) in [
        ("1", "plain", "None"),
        ("array[1.5]", "numeric[]", "None"),
        ("row(1)", "record", "None"),
        ("'sad'::mood", "plain", "('public.mood', ())"),
        ("'x'::app.tag", "plain", "('app.tag', ())"),
        ("1::small", "numeric", "None"),
        ("array[1]::small[]", "numeric[]", "None"),
        ("array['sad']::mood[]", "plain", "('public.mood[]', (('', _, 'plain', ('public.mood', ())),))"),
        ("'empty'::daterange", "range", "('daterange', (('', 1082, 'date'),))"),
        ("'(,)'::pair", "composite", "('public.pair', (('a', 23, 'plain'), ('b', 25, 'plain')))"),
        ("'empty'::moods", "range", "('public.moods', (('', _, 'plain', ('public.mood', ())),))"),
        ("'{}'::int4multirange", "multirange", "('int4multirange', (('', 23, 'plain'),))"),
    ] {
        assert_eq!(described(expression).await, (kind.into(), ty.into()), "{expression}");
    }
}

/// Types that come as text, by a second way of asking: what comes with them must be as it was.
#[tokio::test]
async fn what_only_the_server_can_read_comes_as_its_text() {
    let db = db().await;
    run(
        &db,
        &[
            "CREATE TABLE item (id int PRIMARY KEY, price money, \"we \"\"ird\" text)",
            "CREATE TYPE priced AS (id int, price money)",
            "INSERT INTO item VALUES (1, 1.5, 'a'), (2, null, 'b')",
        ],
    )
    .await;
    for (sql, params, rows, affected) in [
        ("SELECT price, id FROM item ORDER BY id DESC", vec![], "[(None, 2), ('$1.50', 1)]", 2),
        ("SELECT price, price FROM item LIMIT 1 -- end", vec![], "[('$1.50', '$1.50')]", 1),
        ("TABLE item;", vec![], "[(1, '$1.50', 'a'), (2, None, 'b')]", 2),
        ("SELECT $1::money, $2", vec![text("3"), text("x")], "[('$3.00', 'x')]", 1),
        ("INSERT INTO item VALUES ($1, 7) RETURNING price", vec![P::Int(3)], "[('$7.00',)]", 1),
        ("UPDATE item SET price = 2 RETURNING price", vec![], "[('$2.00',), ('$2.00',), ('$2.00',)]", 3),
        (
            "WITH d AS (DELETE FROM item WHERE id = 3 RETURNING price) SELECT price FROM d",
            vec![],
            "[('$2.00',)]",
            1,
        ),
        (
            "with t as (select 1 as id) delete from item using t where item.id = t.id returning price",
            vec![],
            "[('$2.00',)]",
            1,
        ),
        ("SELECT row(id, price)::priced, array[price] FROM item", vec![], "[('(2,$2.00)', ['$2.00'])]", 1),
        ("SELECT nullif(relacl, relacl) FROM pg_class WHERE relname = 'item'", vec![], "[(None,)]", 1),
        ("SELECT typacl, 'x=r/y'::text FROM pg_type WHERE false", vec![], "[]", 0),
        ("SELECT most_common_vals FROM pg_stats WHERE tablename = 'none'", vec![], "[]", 0),
        ("VALUES ('1'::money), ('2')", vec![], "[('$1.00',), ('$2.00',)]", 2),
        ("SELECT price FROM item WHERE id = 2 FOR UPDATE", vec![], "[('$2.00',)]", 1),
    ] {
        // Twice: as prepared, and as kept.
        let answer = db.query(sql, &params).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let list = Py::List(answer.rows.into_iter().map(Py::Tuple).collect());
        assert_eq!((list.to_string().as_str(), answer.affected), (rows, affected), "{sql}");
    }
    let answer = db.query("SELECT price, id AS \"x\"\"y\", 'a'::text FROM item", &[]).await.unwrap();
    let columns: Vec<_> =
        answer.columns.iter().map(|(name, oid, kind)| (name.as_str(), *oid, kind.as_str())).collect();
    assert_eq!(columns, [("price", 790, "plain"), ("x\"y", 23, "plain"), ("text", 25, "plain")]);
    let acl = db.value("SELECT array_agg(makeaclitem(10, 10, 'SELECT', false))", &[]).await;
    assert!(acl.starts_with("['") && acl.contains("=r/"), "{acl}");
}

#[tokio::test]
async fn streams_read_what_only_the_server_can() {
    let db = db().await;
    let sql = "WITH a AS (SELECT '1'::money * g AS price FROM generate_series(1, $1::int) g) SELECT price FROM a -- end";
    let params = pack(&[P::Int(2)]);
    let expected = "[('$1.00',), ('$2.00',)]";
    let mut alone = db.database().stream(sql, &params).await.unwrap();
    let block = alone.next().await.unwrap().unwrap();
    assert_eq!(Py::List(crate::streams::rows(&block)).to_string(), expected);
    let tx = db.begin().await;
    let mut within = tx.stream(sql, &params).await.unwrap();
    let block = within.next().await.unwrap().unwrap();
    assert_eq!(Py::List(crate::streams::rows(&block)).to_string(), expected);
}

#[tokio::test]
async fn what_cannot_be_asked_for_as_text_is_named() {
    let db = crate::support::db_with(one_session()).await;
    let tx = db.begin().await;
    tx.query("DECLARE c CURSOR FOR SELECT '1'::money AS price", &pack(&[])).await.unwrap();
    let error = tx.query("FETCH c", &pack(&[])).await.unwrap_err();
    assert_eq!(error.kind, fasterapi_postgres::PgErrorKind::Usage);
    assert_eq!(error.message, "column `price` is of the type `money`, which can only be read as text");
    assert!(error.report.unwrap().hint.unwrap().contains("::text"));
    // Nothing was sent that could have failed.
    assert_eq!(crate::support::tx_value(&tx, "SELECT 1").await, "1");
    tx.commit().await.unwrap();
    run(&db, MADE).await;
    let error = db.error("SELECT row('sad'::mood) AS r", &[]).await;
    assert_eq!(error.sqlstate(), Some("22P03"));
    assert!(
        error.message.starts_with("column `r`: a record holds a value of the type with oid "),
        "{}",
        error.message
    );
    assert_eq!(db.value("SELECT row('sad'::mood)::text", &[]).await, "'(sad)'");
}

/// The host put text before the guest's: the server's positions count it.
#[tokio::test]
async fn positions_of_errors_are_those_in_the_guests_statement() {
    let db = crate::support::db_with(one_session()).await;
    run(&db, &["CREATE TABLE item (price money, name text)"]).await;
    let sql = "SELECT price, name FROM item";
    db.query(sql, &[]).await.unwrap();
    run(&db, &["ALTER TABLE item RENAME name TO label"]).await;
    let error = db.error(sql, &[]).await;
    let report = error.report.unwrap();
    assert_eq!((report.sqlstate.as_str(), report.position), ("42703", Some(15)));
}

#[tokio::test]
async fn a_composite_that_changes_is_read_anew() {
    let db = crate::support::db_with(one_session()).await;
    run(
        &db,
        &[
            "CREATE TYPE pair AS (a int, b text)",
            "CREATE TABLE t (p pair)",
            "INSERT INTO t VALUES ((1, 'x'))",
        ],
    )
    .await;
    assert_eq!(db.value("SELECT p FROM t", &[]).await, "(1, 'x')");
    run(&db, &["ALTER TYPE pair ADD ATTRIBUTE c int"]).await;
    // What only reads is read again at once.
    assert_eq!(db.value("SELECT p FROM t", &[]).await, "(1, 'x', None)");
    run(&db, &["ALTER TYPE pair DROP ATTRIBUTE b"]).await;
    let error = db.error("UPDATE t SET p = p RETURNING p", &[]).await;
    assert!(error.message.contains("composite type changed"), "{}", error.message);
    assert_eq!(db.value("UPDATE t SET p = p RETURNING p", &[]).await, "(1, None)");
}

/// What is decoded by its name is decoded with care: anyone may give a type that name.
#[tokio::test]
async fn a_type_with_the_name_of_an_extensions_is_no_danger() {
    let db = db().await;
    run(
        &db,
        &[
            "CREATE TYPE hstore",
            "CREATE FUNCTION hstore_in(cstring) RETURNS hstore LANGUAGE internal IMMUTABLE STRICT AS 'byteain'",
            "CREATE FUNCTION hstore_out(hstore) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout'",
            "CREATE FUNCTION hstore_send(hstore) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'byteasend'",
            "CREATE TYPE hstore (INPUT = hstore_in, OUTPUT = hstore_out, SEND = hstore_send)",
        ],
    )
    .await;
    let value = async |bytes: &str| db.query(&format!("SELECT '\\x{bytes}'::hstore"), &[]).await;
    let two = "00000002000000016100000001620000000163ffffffff";
    let answer = value(two).await.unwrap();
    assert_eq!((answer.kind(), answer.rows[0][0].to_string().as_str()), ("plain", "{'a': 'b', 'c': None}"));
    for bytes in ["", "7fffffff", "00000001ffffffff", "0000000100000001", "000000000000"] {
        assert_eq!(value(bytes).await.unwrap_err().sqlstate(), Some("22P03"), "{bytes}");
    }
}

#[tokio::test]
async fn types_of_extensions_that_the_server_has() {
    let db = db().await;
    let has = async |name: &str| {
        let sql = "SELECT count(*) FROM pg_available_extensions WHERE name = $1";
        let there = db.value(sql, &[text(name)]).await == "1";
        if there {
            run(&db, &[&format!("CREATE EXTENSION {name}")]).await;
        }
        there
    };
    let cases = [
        ("hstore", "hstore", "\"a\"=>\"b, \\\"\\\\\", \"c\"=>NULL", "{'a': 'b, \"\\\\', 'c': None}"),
        ("citext", "citext", "aB", "'aB'"),
        ("ltree", "ltree", "a.b", "'a.b'"),
        ("vector", "vector", "[1,-2.5,0.1]", "[1.0, -2.5, 0.1]"),
        ("seg", "seg", "1.5 .. 2", "'1.5 .. 2'"),
        ("cube", "cube", "(1, 2),(3, 4)", "'(1, 2),(3, 4)'"),
    ];
    for (extension, ty, literal, expected) in cases {
        if !has(extension).await {
            continue;
        }
        let sql = format!("SELECT '{literal}'::{ty}");
        let value = db.query(&sql, &[]).await.unwrap().rows.remove(0).remove(0);
        assert_eq!(value.to_string(), expected, "{ty}");
        let alone = (P::from(&value), ty.to_owned());
        let in_array = (P::List(vec![P::from(&value), P::None]), format!("{ty}[]"));
        // A list of lists is an array of two dimensions: an array of vectors has to be sent as text.
        for (given, ty) in [alone, in_array].into_iter().take(if ty == "vector" { 1 } else { 2 }) {
            let back = db.query(&format!("SELECT $1::{ty}"), &[given]).await;
            let back =
                back.unwrap_or_else(|error| panic!("{value} to {ty}: {error:?}")).rows.remove(0).remove(0);
            let expected =
                if ty.ends_with("[]") { Py::List(vec![value.clone(), Py::None]) } else { value.clone() };
            assert_eq!(back, expected, "{ty}");
        }
    }
}
