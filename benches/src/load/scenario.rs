//! What is asked of the servers.

use super::server::Kind;

/// An app that every server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// `apps/plain`: FastAPI.
    Plain,
    /// `apps/bare`: nothing but an answer, so that what remains is the server.
    Bare,
    /// `apps/postgres`: FastAPI, with the same routes on each driver.
    Postgres,
}

impl App {
    /// Its folder under `apps/`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Bare => "bare",
            Self::Postgres => "postgres",
        }
    }

    /// Its section in `RESULTS.md`.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Plain => "load",
            Self::Bare => "overhead",
            Self::Postgres => "postgres",
        }
    }

    /// The servers that run it, in the order of a round. A guest that only answers has no lanes.
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Plain => &[Kind::Host, Kind::HostAsgi, Kind::Uvicorn, Kind::Granian],
            Self::Bare => &[Kind::Host, Kind::Uvicorn, Kind::Granian],
            Self::Postgres => &[Kind::Host, Kind::Asyncpg, Kind::Psycopg],
        }
    }

    /// The server that the others are compared to.
    pub const fn baseline(self) -> Kind {
        match self {
            Self::Plain | Self::Bare => Kind::Uvicorn,
            Self::Postgres => Kind::Asyncpg,
        }
    }

    /// The peers' packages whose versions matter.
    pub const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Plain | Self::Bare => {
                &["fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools", "granian"]
            }
            Self::Postgres => &[
                "fastapi",
                "starlette",
                "pydantic",
                "uvicorn",
                "uvloop",
                "httptools",
                "asyncpg",
                "psycopg",
                "psycopg-pool",
                "orjson",
            ],
        }
    }
}

/// One request, sent over and over.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub app: App,
    pub method: &'static str,
    pub path: &'static str,
    pub body: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    /// What is asked for instead before anything is measured, where chance decides on the answer to `path`.
    pub compared: Option<&'static str>,
}

const ITEM: &str =
    r#"{"name":"teapot","price":12.5,"tags":["kitchen","tea"],"description":"short and stout"}"#;
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const USER: &[(&str, &str)] = &[("authorization", "Bearer ada")];

pub fn all() -> Vec<Scenario> {
    vec![
        get(App::Plain, "`def`", "/"),
        get(App::Plain, "`async def`", "/a"),
        get(App::Plain, "path and query", "/items/42?q=tea"),
        Scenario {
            method: "POST",
            body: ITEM,
            headers: JSON,
            ..get(App::Plain, "model in, model out", "/items")
        },
        get(App::Plain, "list of 20 models", "/items"),
        Scenario { headers: USER, ..get(App::Plain, "two dependencies, one with `yield`", "/me") },
        get(App::Bare, "nothing but an answer", "/"),
        by_chance("one row", "/db", "/db?first=42"),
        by_chance("1 query", "/queries?queries=1", "/queries?queries=1&first=42"),
        by_chance("5 queries", "/queries?queries=5", "/queries?queries=5&first=42"),
        by_chance("20 queries", "/queries?queries=20", "/queries?queries=20&first=42"),
        get(App::Postgres, "fortunes", "/fortunes"),
        by_chance("1 update", "/updates?queries=1", "/updates?queries=1&first=42"),
        by_chance("5 updates", "/updates?queries=5", "/updates?queries=5&first=42"),
        by_chance("20 updates", "/updates?queries=20", "/updates?queries=20&first=42"),
        get(App::Postgres, "1,000 rows as JSON", "/rows"),
        get(App::Postgres, "1,000 rows as models", "/rows/models"),
    ]
}

const fn get(app: App, name: &'static str, path: &'static str) -> Scenario {
    Scenario { name, app, method: "GET", path, body: "", headers: &[], compared: None }
}

const fn by_chance(name: &'static str, path: &'static str, compared: &'static str) -> Scenario {
    Scenario { compared: Some(compared), ..get(App::Postgres, name, path) }
}
