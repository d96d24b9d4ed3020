//! Options that were set, from all the places where they may be set.
//!
//! A value set in the URL stands before one of the service file, that before one of the environment (as in libpq). The
//! environment is asked once, when the configuration is made.

use std::{collections::BTreeMap, fmt, str::FromStr};

use fasterapi_core::Secret;

use super::{ConfigError, options};

/// The host's environment, as a function from a variable's name to its value.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where an option was set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// In the URL.
    Url,
    /// In a service file.
    Service(String),
    /// In a variable of the environment.
    Environment(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("the database url"),
            Self::Service(name) => write!(f, "the service `{name}`"),
            Self::Environment(variable) => write!(f, "the environment ({variable})"),
        }
    }
}

/// Options that were set. Shows no value.
#[derive(Default)]
pub(super) struct Settings(BTreeMap<&'static str, (Secret, Origin)>);

impl Settings {
    /// Sets an option; a second value from the same place replaces the first, one from a later place does not.
    pub(super) fn set(&mut self, name: &str, value: String, origin: &Origin) -> Result<(), ConfigError> {
        let known = options::find(name, origin)?;
        known.check(origin)?;
        match self.0.get(known.name) {
            Some((_, earlier)) if earlier != origin => {}
            _ => {
                self.0.insert(known.name, (Secret::new(value), origin.clone()));
            }
        }
        Ok(())
    }

    /// Fills in what is not set from the environment.
    pub(super) fn add_environment(&mut self, environment: Environment<'_>) -> Result<(), ConfigError> {
        for known in options::OPTIONS {
            let variable = known.variable.and_then(|name| Some((name, environment(name)?)));
            if let Some((variable, value)) = variable.filter(|(_, value)| !value.is_empty()) {
                self.set(known.name, value, &Origin::Environment(variable))?;
            }
        }
        Ok(())
    }

    /// An option's value; an empty one is none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(value, _)| value.expose().as_str()).filter(|value| !value.is_empty())
    }

    /// Where an option was set.
    pub(super) fn origin(&self, name: &str) -> Option<&Origin> {
        self.0.get(name).map(|(_, origin)| origin)
    }

    /// One of a set of words.
    pub(super) fn word<T: Copy>(
        &self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == value);
        found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.invalid(name, format!("allowed are {}", words.join(", ")))
        })
    }

    /// A number.
    pub(super) fn number<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.trim().parse();
        number.map(Some).map_err(|_| self.invalid(name, "it is no number, or out of range"))
    }

    /// The error that an option's value is not valid.
    pub(super) fn invalid(&self, name: &'static str, reason: impl Into<String>) -> ConfigError {
        let origin = self.origin(name).cloned().unwrap_or(Origin::Url);
        ConfigError::Value { option: name, origin, reason: reason.into() }
    }
}
