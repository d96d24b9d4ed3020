//! What an app was asked while it was built, and what it said: the host may give the same answers without asking again.
//!
//! Part of the [manifest](crate::manifest), so hostile input: an answer is bounded and checked before the host ever
//! sends it. Where an app might answer otherwise by now, the SDK records nothing.

use serde::{Deserialize, Serialize};

use crate::manifest::{ManifestError, count, out_of_bounds, text};

const MAX_ANSWERS: usize = 10_000;
const MAX_HEADERS: usize = 32;
const MAX_BODY: usize = 2 << 20;

/// The answers of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Where no route matches.
    pub not_found: Answer,
    /// Whether a path that matches nothing is sent to the one with another slash at its end, where that matches.
    pub redirect_slashes: bool,
    /// Where a route is the first that matches a path, and none of those that match serves the method.
    #[serde(default)]
    pub wrong_method: Vec<ForRoutes>,
    /// What a route answers whatever it is asked.
    #[serde(default)]
    pub documents: Vec<ForRoutes>,
    /// What a route answers to a body that is no JSON from its very beginning.
    #[serde(default)]
    pub no_json: Option<NoJson>,
}

/// A whole response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// 200 to 599.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, UTF-8.
    pub body: String,
}

/// An answer of some routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForRoutes {
    /// What they answer.
    #[serde(flatten)]
    pub answer: Answer,
    /// The routes, by their place in the manifest.
    pub routes: Vec<usize>,
}

/// An answer of some routes to a body that is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoJson {
    /// What they answer where the body's first character is the one that is none of JSON's.
    #[serde(flatten)]
    pub answer: Answer,
    /// Where in the answer's body the `0` stands that is that character's place.
    pub at: usize,
    /// The routes, by their place in the manifest.
    pub routes: Vec<usize>,
}

impl Answers {
    /// Checks the answers of a manifest that has so many routes.
    pub(crate) fn check(&self, routes: usize) -> Result<(), ManifestError> {
        self.not_found.check()?;
        for answers in [&self.wrong_method, &self.documents] {
            count("number of answers", answers.len(), MAX_ANSWERS)?;
            for given in answers {
                given.answer.check()?;
                check_routes(&given.routes, routes)?;
            }
        }
        let Some(no_json) = &self.no_json else { return Ok(()) };
        no_json.answer.check()?;
        check_routes(&no_json.routes, routes)?;
        match no_json.answer.body.as_bytes().get(no_json.at) {
            Some(b'0') => Ok(()),
            _ => Err(out_of_bounds("answer's `at`", &no_json.at.to_string())),
        }
    }
}

fn check_routes(given: &[usize], routes: usize) -> Result<(), ManifestError> {
    count("number of an answer's routes", given.len(), routes)?;
    match given.iter().find(|route| **route >= routes) {
        Some(route) => Err(out_of_bounds("answer's route", &route.to_string())),
        None => Ok(()),
    }
}

impl Answer {
    fn check(&self) -> Result<(), ManifestError> {
        if !(200..=599).contains(&self.status) {
            return Err(out_of_bounds("answer's status", &self.status.to_string()));
        }
        count("size of an answer", self.body.len(), MAX_BODY)?;
        count("number of an answer's headers", self.headers.len(), MAX_HEADERS)?;
        for (name, value) in &self.headers {
            let token =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
            if name.is_empty() || !name.bytes().all(token) {
                return Err(out_of_bounds("answer's header", name));
            }
            text("answer's header", name)?;
            text("answer's header", value)?;
        }
        self.check_length()
    }

    /// A length that is not the body's would have the client wait for more, or take what follows for the next answer.
    fn check_length(&self) -> Result<(), ManifestError> {
        let length = self.body.len().to_string();
        let given = self.headers.iter().filter(|(name, _)| name == "content-length");
        match given.map(|(_, value)| value).find(|value| **value != length) {
            Some(value) => Err(out_of_bounds("answer's length", value)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        let length = ("content-length".to_owned(), body.len().to_string());
        Answer { status: 404, headers: vec![length], body: body.to_owned() }
    }

    fn answers() -> Answers {
        let given = ForRoutes { answer: answer("{}"), routes: vec![0, 1] };
        Answers {
            not_found: answer("no"),
            redirect_slashes: true,
            wrong_method: vec![given.clone()],
            documents: vec![given],
            no_json: Some(NoJson { answer: answer("[0]"), at: 1, routes: vec![1] }),
        }
    }

    #[test]
    fn what_the_sdk_writes_is_read() {
        let text = r#"{"not_found":{"status":404,"headers":[["content-length","2"]],"body":"no"},"redirect_slashes":true,
            "wrong_method":[{"status":404,"headers":[["content-length","2"]],"body":"{}","routes":[0,1]}],
            "documents":[{"status":404,"headers":[["content-length","2"]],"body":"{}","routes":[0,1]}],
            "no_json":{"status":404,"headers":[["content-length","3"]],"body":"[0]","at":1,"routes":[1]}}"#;
        assert_eq!(serde_json::from_str::<Answers>(text).unwrap(), answers());
        answers().check(2).unwrap();
    }

    #[test]
    fn hostile_answers_are_refused() {
        let broken: [fn(&mut Answers); 12] = [
            |answers| answers.not_found.status = 101,
            |answers| answers.not_found.status = 600,
            |answers| answers.not_found.body.push('!'),
            |answers| answers.not_found.headers.push(("content-length".into(), "3".into())),
            |answers| answers.not_found.headers.push(("A".into(), String::new())),
            |answers| answers.not_found.headers.push((":body".into(), String::new())),
            |answers| answers.not_found.headers.push(("a".into(), "b\r\nc: d".into())),
            |answers| answers.not_found.headers = vec![("a".into(), String::new()); 33],
            |answers| answers.wrong_method.iter_mut().for_each(|given| given.routes.push(2)),
            |answers| answers.documents = vec![answers.documents[0].clone(); 10_001],
            |answers| answers.not_found = answer(&"x".repeat(MAX_BODY + 1)),
            |answers| answers.no_json.iter_mut().for_each(|given| given.at = 2),
        ];
        for edit in broken {
            let mut answers = answers();
            edit(&mut answers);
            assert!(matches!(answers.check(2), Err(ManifestError::OutOfBounds { .. })), "{answers:?}");
        }
    }
}
