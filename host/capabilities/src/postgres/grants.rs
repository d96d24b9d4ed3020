//! What a revision may use, and what the host sets for it.

use std::{collections::HashMap, fmt, str::FromStr, sync::Arc, time::Duration};

use fasterapi_core::{DatabaseAlias, TenantId};
use fasterapi_postgres::Databases;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Deserializer, de};

/// The databases of a revision's tenant, and the terms.
#[derive(Debug)]
pub struct PostgresGrants {
    /// The host's databases.
    pub databases: Arc<Databases>,
    /// Whose grants count.
    pub tenant: TenantId,
    /// The terms of each, where there are any.
    pub terms: HashMap<DatabaseAlias, Terms>,
}

impl PostgresGrants {
    /// Whether the host sets something by what a request says: its instance then serves one at a time.
    #[must_use]
    pub fn depend_on_requests(&self) -> bool {
        let mut variables = self.terms.values().flat_map(|terms| &terms.variables);
        variables.any(|(_, variable)| matches!(variable, Variable::Header(_)))
    }
}

/// What holds for a revision's statements on one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Variables that the host sets for each statement, for row-level security: the guest has no part in it.
    pub variables: Vec<(Box<str>, Variable)>,
    /// How long a statement may take, by the route's name: in place of what the database says.
    pub route_timeouts: HashMap<Box<str>, Duration>,
}

/// Where the value of a variable comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The tenant's id.
    Tenant,
    /// The route's name, as `fasterapi-host routes` shows it.
    Route,
    /// The request's header; empty when it has none. Its client chooses it, so it is for headers that a proxy in front sets.
    Header(HeaderName),
    /// The same for every request.
    Text(Box<str>),
}

/// Why a text is no [`Variable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a variable's value is `tenant`, `route`, `header:NAME` or `text:VALUE`")]
pub struct VariableError;

impl FromStr for Variable {
    type Err = VariableError;

    fn from_str(text: &str) -> Result<Self, VariableError> {
        match text.split_once(':') {
            None if text == "tenant" => Ok(Self::Tenant),
            None if text == "route" => Ok(Self::Route),
            Some(("header", name)) => name.parse().map(Self::Header).map_err(|_| VariableError),
            Some(("text", value)) if !value.contains('\0') => Ok(Self::Text(value.into())),
            _ => Err(VariableError),
        }
    }
}

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        String::deserialize(source)?.parse().map_err(de::Error::custom)
    }
}

impl Variable {
    /// Its value for a request. What is no text of one line in UTF-8 is as good as missing.
    fn value(&self, tenant: &TenantId, route: &str, headers: &HeaderMap) -> Box<str> {
        match self {
            Self::Tenant => tenant.as_str().into(),
            Self::Route => route.into(),
            Self::Text(text) => text.clone(),
            Self::Header(name) => {
                let value = headers.get(name).map(http::HeaderValue::as_bytes).unwrap_or_default();
                std::str::from_utf8(value).unwrap_or_default().into()
            }
        }
    }
}

/// Variables with their values.
pub(super) type Values = Arc<[(Box<str>, Box<str>)]>;

impl PostgresGrants {
    /// The values of all variables for a request.
    pub(super) fn values(&self, route: &str, headers: &HeaderMap) -> HashMap<DatabaseAlias, Values> {
        let with_variables = self.terms.iter().filter(|(_, terms)| !terms.variables.is_empty());
        let values = |terms: &Terms| {
            let value = |(name, variable): &(Box<str>, Variable)| {
                (name.clone(), variable.value(&self.tenant, route, headers))
            };
            terms.variables.iter().map(value).collect()
        };
        with_variables.map(|(alias, terms)| (alias.clone(), values(terms))).collect()
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("tenant"),
            Self::Route => f.write_str("route"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Text(text) => write!(f, "text:{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_written_as_it_is_read() {
        for text in ["tenant", "route", "header:x-user-id", "text:", "text:a:b"] {
            assert_eq!(text.parse::<Variable>().map(|variable| variable.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "tenants", "header:", "header:a b", "x:y", "text:a\0b"] {
            assert_eq!(text.parse::<Variable>(), Err(VariableError), "{text}");
        }
    }
}
