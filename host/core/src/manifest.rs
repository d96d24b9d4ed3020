//! The manifest: what a build learned about an app, carried inside its component.
//!
//! A custom section named [`SECTION`] holds one JSON object, so the host knows an app's routes without starting
//! an instance. The builder writes it, the platform reads it. The component comes from a tenant, so reading is
//! reading hostile input: sizes are bounded before anything is parsed, and every string is checked after.
//! Unknown fields are ignored, so an older host reads a newer builder's manifest; a change that an older host
//! must not ignore takes a new [`FORMAT`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{answers::Answers, layers::Layers, section};

/// The name of the custom section.
pub const SECTION: &str = "fasterapi:manifest";

/// The version of the manifest's form that this code writes and the only one it reads.
pub const FORMAT: u32 = 3;

/// The largest manifest that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

const MAX_ROUTES: usize = 10_000;
const MAX_METHODS: usize = 32;
const MAX_METHOD: usize = 32;
const MAX_TEXT: usize = 4096;
const MAX_PACKAGES: usize = 2000;
const MAX_PARAMETERS: usize = 256;
const MAX_VARIABLES: usize = 1000;

/// What a build knows about an app. The SDK fills it in Python; the builder adds `format`, `packages` and `builder`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this manifest; see [`FORMAT`].
    pub format: u32,
    /// What was built, as `MODULE:ATTR`.
    pub target: String,
    /// What kind of app `target` is.
    pub kind: AppKind,
    /// The web framework the app stands on; none for a bare ASGI callable.
    #[serde(default)]
    pub framework: Option<Framework>,
    /// The version of the Python SDK in the component.
    #[serde(default)]
    pub sdk: String,
    /// The version of Python in the component.
    #[serde(default)]
    pub python: String,
    /// The version of the builder.
    #[serde(default)]
    pub builder: String,
    /// Whether the component imports `fasterapi:postgres`.
    #[serde(default)]
    pub uses_postgres: bool,
    /// Whether the app's routes have instances of their own.
    #[serde(default)]
    pub isolation: Isolation,
    /// What the app's constructor asked of the host (`App(enable_h2=True, compression=True)`), by name; null
    /// where it did not say.
    #[serde(default)]
    pub server: BTreeMap<String, serde_json::Value>,
    /// The routes in the order in which the app tries them. Empty for a bare ASGI callable.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// What was put into the component beside the app: package name to version.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
    /// What the host may answer itself; none: the app is asked each time.
    #[serde(default)]
    pub answers: Option<Answers>,
    /// The middleware around plans, which the host does; none: the app does its own.
    #[serde(default)]
    pub layers: Option<Layers>,
    /// Environment variables that the app asked for while it was built, where there are none, and where it did:
    /// what it made of that is in the snapshot. `*`: all of them.
    #[serde(default)]
    pub environment_read: BTreeMap<String, String>,
}

/// A web framework and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Framework {
    /// The package's name: `fastapi`, `starlette`.
    pub name: String,
    /// The package's version.
    pub version: String,
}

/// What kind of app a component was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AppKind {
    /// `fasterapi.App`.
    Fasterapi,
    /// `fastapi.FastAPI`.
    Fastapi,
    /// `starlette.applications.Starlette`.
    Starlette,
    /// Any other ASGI callable. Its routes are its own affair.
    #[serde(other)]
    Asgi,
}

/// Which requests may share an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Isolation {
    /// One pool for all routes: the app keeps state in module globals.
    App,
    /// A pool for each route. A word from the future reads as this, the stricter one.
    #[default]
    #[serde(other)]
    Route,
}

/// One entry of the app's routing table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// What the route serves.
    pub kind: RouteKind,
    /// The framework's own pattern: `/items/{item_id}`, `/files/{path:path}`; for [`RouteKind::Host`] the
    /// pattern of the host name.
    pub path: String,
    /// Upper-case methods; empty means any.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The route's name, where it has one.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether the route is in the app's OpenAPI document.
    #[serde(default)]
    pub in_schema: bool,
    /// Whether this route has instances of its own.
    #[serde(default)]
    pub isolation: Isolation,
    /// The route's plan in the compiled lane; none: it is served by the ASGI lane.
    #[serde(default)]
    pub plan: Option<Plan>,
    /// Why it has none, in words for the app's author.
    #[serde(default)]
    pub reason: Option<String>,
    /// Whether it is a page of FastAPI's own that shows the app's OpenAPI document.
    #[serde(default)]
    pub docs: bool,
}

/// What a plan of the compiled lane wants to know of a request (`fasterapi:app/compiled` in `wit/world.wit`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The plan's number in the guest.
    pub number: u32,
    /// The status of an answer that says nothing else, 200 to 599.
    pub status: u16,
    /// The path's parameters, each a whole segment; the last may be `{name:path}`.
    #[serde(default)]
    pub path: Vec<String>,
    /// The query's parameters that it looks at.
    #[serde(default)]
    pub query: Vec<Wanted>,
    /// The headers that it looks at, in lower case.
    #[serde(default)]
    pub headers: Vec<Wanted>,
    /// The body that it takes.
    #[serde(default)]
    pub body: Option<BodyKind>,
    /// Whether it sees the request's head.
    #[serde(default)]
    pub head: bool,
}

/// What a plan's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyKind {
    /// `application/json`, or another type whose subtype ends so.
    Json,
    /// `application/x-www-form-urlencoded` or `multipart/form-data`.
    Form,
}

/// A parameter of the query, or a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name, decoded.
    pub name: String,
    /// Whether every value of that name is wanted; else the query's last, the first of the headers.
    #[serde(default)]
    pub list: bool,
}

/// What a route serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RouteKind {
    /// One pattern, HTTP.
    Http,
    /// One pattern, WebSocket.
    Websocket,
    /// Everything under a host name.
    Host,
    /// Everything below a prefix, whatever its kind.
    #[serde(other)]
    Mount,
}

/// Why a component, or the manifest in it, was refused. The component's author is to blame for all of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The bytes do not start as WebAssembly does.
    #[error("not a webassembly component")]
    NotWasm,
    /// A core module where a component is needed.
    #[error("a core webassembly module, not a component")]
    CoreModule,
    /// The binary ends inside a section, or its section lengths contradict each other.
    #[error("the component is cut off or corrupt at byte {at}")]
    Corrupt {
        /// Offset of the section that does not fit.
        at: usize,
    },
    /// More than one section of a name that can be there once.
    #[error("the component has two {section} sections")]
    Twice {
        /// Its name.
        section: &'static str,
    },
    /// Over [`MAX_BYTES`].
    #[error("the manifest has {bytes} bytes, more than the {MAX_BYTES} allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON of the expected form.
    #[error("the manifest is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a builder with another form.
    #[error("the manifest has format {found}, this host reads format {FORMAT}")]
    Format {
        /// The form it declares.
        found: u32,
    },
    /// A list or a text over its bound, or a text that cannot be what it says.
    #[error("the component's {what} is out of bounds: {value}")]
    OutOfBounds {
        /// Which part.
        what: &'static str,
        /// Its size, or the start of the text.
        value: String,
    },
}

/// The manifest of a component; none for a component that was not built here.
///
/// # Errors
/// Not a component, cut off, or a manifest that is malformed or out of bounds.
pub fn read(component: &[u8]) -> Result<Option<Manifest>, ManifestError> {
    section::find(component, SECTION)?.map(Manifest::from_json).transpose()
}

/// Appends the manifest to a component that has none yet.
///
/// # Errors
/// Not a component, one that has a manifest already, or a manifest that [`read`] would refuse.
pub fn append(component: &mut Vec<u8>, manifest: &Manifest) -> Result<(), ManifestError> {
    section::append(component, SECTION, &manifest.to_json()?)
}

impl Manifest {
    /// Parses and checks a manifest.
    ///
    /// # Errors
    /// Anything that [`ManifestError`] names beyond the section itself.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        if bytes.len() > MAX_BYTES {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        let Head { format } = serde_json::from_slice(bytes)?;
        if format != FORMAT {
            return Err(ManifestError::Format { found: format });
        }
        let manifest: Self = serde_json::from_slice(bytes)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The JSON that [`Manifest::from_json`] reads.
    ///
    /// # Errors
    /// The same checks as on reading: what this host would refuse is not written.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > MAX_BYTES {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        Ok(bytes)
    }

    /// Has the app's routes share their instances or not, whatever it says itself. Where they do, one may change what
    /// another answers, so the app is asked for each answer.
    pub fn isolate(&mut self, isolation: Isolation) {
        self.isolation = isolation;
        self.routes.iter_mut().for_each(|route| route.isolation = isolation);
        if isolation == Isolation::App {
            self.answers = None;
            self.layers.iter_mut().for_each(|layers| layers.early = false);
        }
    }

    fn check(&self) -> Result<(), ManifestError> {
        count("number of routes", self.routes.len(), MAX_ROUTES)?;
        count("number of packages", self.packages.len(), MAX_PACKAGES)?;
        count("number of variables", self.environment_read.len(), MAX_VARIABLES)?;
        text("target", &self.target)?;
        for (name, version) in &self.packages {
            text("package name", name)?;
            text("package version", version)?;
        }
        for (name, place) in &self.environment_read {
            text("variable", name)?;
            text("variable's place", place)?;
        }
        for version in [&self.sdk, &self.python, &self.builder] {
            text("version", version)?;
        }
        if let Some(framework) = &self.framework {
            text("framework name", &framework.name)?;
            text("framework version", &framework.version)?;
        }
        self.routes.iter().try_for_each(Route::check)?;
        self.layers.as_ref().map_or(Ok(()), Layers::check)?;
        self.answers.as_ref().map_or(Ok(()), |answers| answers.check(self.routes.len()))
    }
}

impl Route {
    fn check(&self) -> Result<(), ManifestError> {
        text("route path", &self.path)?;
        let prefix_free = self.path.is_empty() || self.kind == RouteKind::Host;
        if !(prefix_free || self.path.starts_with('/')) {
            return Err(out_of_bounds("route path", &self.path));
        }
        if let Some(name) = &self.name {
            text("route name", name)?;
        }
        if let Some(reason) = &self.reason {
            text("route reason", reason)?;
        }
        if let Some(plan) = &self.plan {
            plan.check()?;
        }
        count("number of methods", self.methods.len(), MAX_METHODS)?;
        self.methods.iter().try_for_each(|method| check_method(method))
    }
}

impl Plan {
    fn check(&self) -> Result<(), ManifestError> {
        count("number of path parameters", self.path.len(), MAX_PARAMETERS)?;
        count("number of query parameters", self.query.len(), MAX_PARAMETERS)?;
        self.path.iter().try_for_each(|name| text("path parameter", name))?;
        count("number of headers", self.headers.len(), MAX_PARAMETERS)?;
        self.query.iter().try_for_each(|query| text("query parameter", &query.name))?;
        self.headers.iter().try_for_each(|header| text("header", &header.name))?;
        if !(200..=599).contains(&self.status) {
            return Err(out_of_bounds("plan's status", &self.status.to_string()));
        }
        Ok(())
    }
}

/// RFC 9110 section 9.1: a method is a token; only upper-case ones are routed.
fn check_method(method: &str) -> Result<(), ManifestError> {
    let token = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
    if method.is_empty() || method.len() > MAX_METHOD || !method.bytes().all(token) {
        return Err(out_of_bounds("route method", method));
    }
    Ok(())
}

pub(crate) fn count(what: &'static str, found: usize, most: usize) -> Result<(), ManifestError> {
    if found > most {
        return Err(ManifestError::OutOfBounds { what, value: found.to_string() });
    }
    Ok(())
}

pub(crate) fn text(what: &'static str, value: &str) -> Result<(), ManifestError> {
    if value.len() > MAX_TEXT || value.chars().any(char::is_control) {
        return Err(out_of_bounds(what, value));
    }
    Ok(())
}

pub(crate) fn out_of_bounds(what: &'static str, value: &str) -> ManifestError {
    ManifestError::OutOfBounds {
        what,
        value: value.chars().take(60).flat_map(char::escape_default).collect(),
    }
}

#[cfg(test)]
mod tests;
