//! The manifest: what a build learned about an app, carried inside its component.
//!
//! A custom section named [`SECTION`] holds one JSON object, so the host knows an app's routes without starting
//! an instance. The builder writes it, the platform reads it. The component comes from a tenant, so reading is
//! reading hostile input: sizes are bounded before anything is parsed, and every string is checked after.
//! Unknown fields are ignored, so an older host reads a newer builder's manifest; a change that an older host
//! must not ignore takes a new [`FORMAT`].

mod section;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use section::{append, read};

/// The name of the custom section.
pub const SECTION: &str = "fasterapi:manifest";

/// The version of the manifest's form that this code writes and the only one it reads.
pub const FORMAT: u32 = 1;

/// The largest manifest that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

const MAX_ROUTES: usize = 10_000;
const MAX_METHODS: usize = 32;
const MAX_METHOD: usize = 32;
const MAX_TEXT: usize = 4096;
const MAX_PACKAGES: usize = 2000;

/// What a build knows about an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this manifest; see [`FORMAT`].
    pub format: u32,
    /// What was built, as `MODULE:ATTR`.
    pub target: String,
    /// What kind of app `target` is.
    pub kind: AppKind,
    /// The app's title, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The app's version, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The routes in the order in which the app tries them.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// What the app's constructor asked of the host (`App(enable_h2=True, compression=True)`), by name.
    #[serde(default)]
    pub options: BTreeMap<String, serde_json::Value>,
    /// Whether the component imports `fasterapi:postgres`.
    #[serde(default)]
    pub postgres: bool,
    /// What was put into the component beside the app: package name to version.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
    /// The version of the builder.
    #[serde(default)]
    pub builder: String,
}

/// What kind of app a component was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AppKind {
    /// `fastapi.FastAPI` or `fasterapi.App`.
    Fastapi,
    /// `starlette.applications.Starlette`.
    Starlette,
    /// Any other ASGI callable. Its routes are its own affair.
    #[serde(other)]
    Asgi,
}

/// One entry of the app's routing table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// What the route serves.
    pub kind: RouteKind,
    /// The pattern in Starlette's form: `/items/{item_id}`, `/files/{path:path}`.
    pub path: String,
    /// Upper-case methods; empty means any (a mount, a bare ASGI app).
    #[serde(default)]
    pub methods: Vec<String>,
    /// The route's name, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
    /// More than one manifest.
    #[error("the component has two {SECTION} sections")]
    Twice,
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
    #[error("the manifest's {what} is out of bounds: {value}")]
    OutOfBounds {
        /// Which part.
        what: &'static str,
        /// Its size, or the start of the text.
        value: String,
    },
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

    fn check(&self) -> Result<(), ManifestError> {
        count("number of routes", self.routes.len(), MAX_ROUTES)?;
        count("number of packages", self.packages.len(), MAX_PACKAGES)?;
        text("target", &self.target)?;
        for (name, version) in &self.packages {
            text("package name", name)?;
            text("package version", version)?;
        }
        for value in [&self.title, &self.version].into_iter().flatten() {
            text("title or version", value)?;
        }
        self.routes.iter().try_for_each(Route::check)
    }
}

impl Route {
    fn check(&self) -> Result<(), ManifestError> {
        text("route path", &self.path)?;
        if !(self.path.is_empty() || self.path.starts_with('/')) {
            return Err(out_of_bounds("route path", &self.path));
        }
        if let Some(name) = &self.name {
            text("route name", name)?;
        }
        count("number of methods", self.methods.len(), MAX_METHODS)?;
        self.methods.iter().try_for_each(|method| check_method(method))
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

fn count(what: &'static str, found: usize, most: usize) -> Result<(), ManifestError> {
    if found > most {
        return Err(ManifestError::OutOfBounds { what, value: found.to_string() });
    }
    Ok(())
}

fn text(what: &'static str, value: &str) -> Result<(), ManifestError> {
    if value.len() > MAX_TEXT || value.chars().any(char::is_control) {
        return Err(out_of_bounds(what, value));
    }
    Ok(())
}

fn out_of_bounds(what: &'static str, value: &str) -> ManifestError {
    ManifestError::OutOfBounds {
        what,
        value: value.chars().take(60).flat_map(char::escape_default).collect(),
    }
}

#[cfg(test)]
mod tests;
