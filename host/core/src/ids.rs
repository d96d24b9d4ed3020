//! Names of things, as distinct types.

use std::{fmt, sync::Arc};

/// Why a string is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} `{value}` is not 1 to 63 characters of a-z, 0-9, `-` and `_`, with a letter or digit first")]
pub struct IdError {
    kind: &'static str,
    value: String,
}

fn check(kind: &'static str, value: &str) -> Result<Arc<str>, IdError> {
    let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = (1..=63).contains(&value.len())
        && value.bytes().all(|c| word(c) || c == b'-' || c == b'_')
        && value.bytes().next().is_some_and(word);
    fits.then(|| value.into()).ok_or_else(|| IdError { kind, value: value.chars().take(64).collect() })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `value` and makes an id of it.
            ///
            /// # Errors
            /// When `value` is not of the form that [`IdError`] tells.
            pub fn new(value: &str) -> Result<Self, IdError> {
                check($kind, value).map(Self)
            }

            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                let text = String::deserialize(source)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A tenant: the owner of apps, the border of isolation and of budgets.
    TenantId,
    "tenant id"
);
id!(
    /// The name under which a database is granted to an app, `default` for most.
    DatabaseAlias,
    "database alias"
);

impl Default for TenantId {
    /// The one tenant of `fasterapi-host serve app.wasm`.
    fn default() -> Self {
        Self("default".into())
    }
}

impl Default for DatabaseAlias {
    fn default() -> Self {
        Self("default".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        assert_eq!(TenantId::new("acme-2").unwrap().as_str(), "acme-2");
        for bad in ["", "-x", "A", "a b", "ä", &"x".repeat(64)] {
            assert!(DatabaseAlias::new(bad).is_err(), "{bad:?}");
        }
    }
}
