//! Why the last change is not live, as text and as a page. For the developer's eyes: `serve` shows none of it.

use std::fmt::Display;

use fasterapi_edge::ResponseBody;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

/// A build or a start that failed.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    text: String,
}

/// Nothing of the page runs or loads anything, whatever an error's text says.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl Trouble {
    pub(crate) fn new(error: impl Display) -> Self {
        Self { text: error.to_string().trim_end().to_owned() }
    }

    /// The app's traceback, if there is one, and what it comes to.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn page(&self) -> Response<ResponseBody> {
        let text = escaped(&self.text);
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>The last change does not work</title>\n\
             <style>body {{ font: 1rem sans-serif; margin: 2rem }} pre {{ white-space: pre-wrap }}</style>\n\
             <h1>The last change does not work</h1>\n<pre>{text}</pre>\n\
             <p>fasterapi-host dev shows this to browsers until a change mends it.</p>\n</html>\n"
        );
        response(page, HTML)
    }

    pub(crate) fn text(&self) -> Response<ResponseBody> {
        response(format!("{}\n", self.text), PLAIN)
    }
}

fn response(body: String, kind: HeaderValue) -> Response<ResponseBody> {
    let mut response = Response::new(Full::from(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// As text between tags of HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_says_is_no_markup() {
        assert_eq!(escaped("<script>\"a\" & b"), "&lt;script&gt;&quot;a&quot; &amp; b");
    }
}
