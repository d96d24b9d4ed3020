//! What is asked of the servers.

/// An app that every server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// `apps/plain`: FastAPI.
    Plain,
    /// `apps/bare`: nothing but an answer, so that what remains is the server.
    Bare,
}

impl App {
    pub const ALL: [Self; 2] = [Self::Plain, Self::Bare];

    /// Its folder under `apps/`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Bare => "bare",
        }
    }

    /// Its section in `RESULTS.md`.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Plain => "load",
            Self::Bare => "overhead",
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
}

const ITEM: &str =
    r#"{"name":"teapot","price":12.5,"tags":["kitchen","tea"],"description":"short and stout"}"#;
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const USER: &[(&str, &str)] = &[("authorization", "Bearer ada")];

pub fn all() -> Vec<Scenario> {
    let get = |app, name, path| Scenario { name, app, method: "GET", path, body: "", headers: &[] };
    vec![
        get(App::Plain, "`def`", "/"),
        get(App::Plain, "`async def`", "/a"),
        get(App::Plain, "path and query", "/items/42?q=tea"),
        Scenario {
            name: "model in, model out",
            app: App::Plain,
            method: "POST",
            path: "/items",
            body: ITEM,
            headers: JSON,
        },
        get(App::Plain, "list of 20 models", "/items"),
        Scenario { headers: USER, ..get(App::Plain, "two dependencies, one with `yield`", "/me") },
        get(App::Bare, "nothing but an answer", "/"),
    ]
}
