//! The middleware that the host does in an app's place, outermost first: Starlette's own classes and their options.
//!
//! Part of the [manifest](crate::manifest), so hostile input, which is bounded and checked. A kind that is not known
//! here makes the manifest malformed: a host that left it out would serve what the app does not.

use serde::{Deserialize, Serialize};

use crate::manifest::{ManifestError, count, out_of_bounds, text};

const MAX_LAYERS: usize = 16;
const MAX_WORDS: usize = 1000;

/// The middleware of an app, all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Whether the host answers what they stop: nothing of the app's can have changed them. Else they only stand
    /// around plans, which look whether they have changed.
    pub early: bool,
    /// The outermost first.
    pub list: Vec<Layer>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Layer {
    /// `starlette.middleware.cors.CORSMiddleware`.
    Cors(Cors),
    /// `starlette.middleware.trustedhost.TrustedHostMiddleware`.
    TrustedHost {
        /// Lower-case names, `*.example.org` among them.
        hosts: Vec<String>,
        /// Whether every host is one.
        any: bool,
    },
    /// `starlette.middleware.httpsredirect.HTTPSRedirectMiddleware`.
    HttpsRedirect,
    /// `starlette.middleware.gzip.GZipMiddleware`.
    Gzip(Gzip),
}

/// The attributes of that class that it decides by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    /// `allow_origins`.
    pub origins: Vec<String>,
    /// `allow_methods`.
    pub methods: Vec<String>,
    /// `allow_headers`, in lower case.
    pub headers: Vec<String>,
    /// `allow_all_origins`.
    pub all_origins: bool,
    /// `allow_all_headers`.
    pub all_headers: bool,
    /// `allow_credentials`.
    pub credentials: bool,
    /// `preflight_explicit_allow_origin`.
    pub explicit_preflight: bool,
    /// `allow_origin_regex`, in the form that the SDK gives it: Python and the host's `regex` read that the same, for
    /// ASCII without line breaks.
    pub origin_regex: Option<String>,
    /// `allow_private_network`.
    pub private_network: bool,
    /// `simple_headers`, names in lower case.
    pub simple: Vec<(String, String)>,
    /// `preflight_headers`, likewise.
    pub preflight: Vec<(String, String)>,
}

/// The attributes of that class that it decides by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gzip {
    /// `minimum_size`, in bytes: 1 or more.
    pub minimum_size: u64,
    /// `compresslevel`: 1 to 9.
    pub level: u8,
    /// `exclude_content_types`, in lower case, `audio/*` among them.
    pub excluded: Vec<String>,
}

impl Layers {
    pub(crate) fn check(&self) -> Result<(), ManifestError> {
        count("number of layers", self.list.len(), MAX_LAYERS)?;
        self.list.iter().try_for_each(Layer::check)
    }
}

impl Layer {
    fn check(&self) -> Result<(), ManifestError> {
        match self {
            Self::Cors(cors) => {
                [&cors.origins, &cors.methods, &cors.headers].into_iter().try_for_each(|list| words(list))?;
                cors.origin_regex.iter().try_for_each(|regex| text("layer's regular expression", regex))?;
                cors.simple.iter().chain(&cors.preflight).try_for_each(|(name, value)| header(name, value))
            }
            Self::TrustedHost { hosts, .. } => words(hosts),
            Self::HttpsRedirect => Ok(()),
            Self::Gzip(gzip) => gzip.check(),
        }
    }
}

impl Gzip {
    /// What is outside has Starlette compress empty bodies, store instead of compress, or fail.
    fn check(&self) -> Result<(), ManifestError> {
        if self.minimum_size == 0 {
            return Err(out_of_bounds("layer's minimum size", "0"));
        }
        if !(1..=9).contains(&self.level) {
            return Err(out_of_bounds("layer's compression level", &self.level.to_string()));
        }
        words(&self.excluded)
    }
}

fn words(list: &[String]) -> Result<(), ManifestError> {
    count("number of a layer's options", list.len(), MAX_WORDS)?;
    list.iter().try_for_each(|word| text("layer's option", word))
}

fn header(name: &str, value: &str) -> Result<(), ManifestError> {
    let known = name == "vary" || name.starts_with("access-control-");
    if !known || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') || !value.is_ascii() {
        return Err(out_of_bounds("layer's header", name));
    }
    // The lists of a class go into one value.
    let longest = MAX_WORDS * 64;
    count("size of a layer's header", value.len(), longest)?;
    match value.bytes().find(u8::is_ascii_control) {
        Some(_) => Err(out_of_bounds("layer's header", value)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(text: &str) -> Result<Layers, String> {
        let layers: Layers = serde_json::from_str(text).map_err(|error| error.to_string())?;
        layers.check().map_err(|error| error.to_string())?;
        Ok(layers)
    }

    const CORS: &str = r#"{"kind":"cors","origins":["https://a"],"methods":["GET"],"headers":["accept"],"all_origins":false,
        "all_headers":false,"credentials":true,"explicit_preflight":true,"origin_regex":"\\x61","private_network":false,
        "simple":[["access-control-allow-credentials","true"]],"preflight":[["vary","Origin"]]}"#;

    const GZIP: &str = r#"{"kind":"gzip","minimum_size":500,"level":9,"excluded":["audio/*"]}"#;

    #[test]
    fn what_the_sdk_writes_is_read() {
        let text = format!(
            r#"{{"early":true,"list":[{{"kind":"https_redirect"}},{{"kind":"trusted_host","hosts":["a"],"any":false}},{CORS},{GZIP}]}}"#
        );
        let found = layers(&text).unwrap();
        assert_eq!(found.list[0], Layer::HttpsRedirect);
        assert_eq!(found.list[1], Layer::TrustedHost { hosts: vec!["a".into()], any: false });
        assert!(matches!(&found.list[2], Layer::Cors(cors) if cors.credentials && !cors.all_origins));
        let gzip = Gzip { minimum_size: 500, level: 9, excluded: vec!["audio/*".into()] };
        assert_eq!(found.list[3], Layer::Gzip(gzip));
        assert_eq!(serde_json::from_str::<Layers>(&serde_json::to_string(&found).unwrap()).unwrap(), found);
    }

    #[test]
    fn hostile_layers_are_refused() {
        let one = |layer: &str| layers(&format!(r#"{{"early":true,"list":[{layer}]}}"#));
        one(CORS).unwrap();
        one(GZIP).unwrap();
        for layer in [
            r#"{"kind":"brotli"}"#.to_owned(),
            GZIP.replace("500", "0"),
            GZIP.replace("9", "0"),
            GZIP.replace("9", "10"),
            GZIP.replace("audio/*", "a\\n"),
            CORS.replace("x61", &"x61".repeat(2000)),
            CORS.replace("\"vary\"", "\"set-cookie\""),
            CORS.replace("\"vary\"", "\"access-control-\\r\""),
            CORS.replace("\"Origin\"", "\"a\\r\\nb: c\""),
            CORS.replace("https://a", &"x".repeat(5000)),
            CORS.replace("\"GET\"", &vec!["\"GET\""; 1001].join(",")),
            vec![CORS; 17].join(","),
        ] {
            assert!(one(&layer).is_err(), "{layer}");
        }
    }
}
