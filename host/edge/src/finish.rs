//! Makes a gateway's response fit for the wire, whatever it says: it may come from a guest.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, PROXY_AUTHENTICATE, SERVER, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use http_body::Body;

use crate::body::{EdgeBody, Measured};
use crate::compress::{self, Compression, Compressor};
use crate::problem::Refusal;
use crate::service::Asked;
use crate::state::InFlight;
use crate::{EdgeConfig, ResponseBody};

/// Headers that are about one connection (RFC 9110, section 7.6.1), which the edge manages.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The response as hyper gets it.
pub(crate) fn finish(
    response: Response<ResponseBody>,
    asked: &Asked,
    in_flight: InFlight,
) -> Response<EdgeBody> {
    let config = std::sync::Arc::clone(&in_flight.connection.config);
    let (mut parts, body) = response.into_parts();
    drop_hop_by_hop(&mut parts.headers);
    let Ok(length) = body_length(&parts.headers, &body, parts.status) else {
        tracing::warn!(
            status = parts.status.as_u16(),
            "the response's head does not fit its body; answered 500"
        );
        return Refusal::BAD_RESPONSE.response(false).map(|body| EdgeBody::full(body, in_flight));
    };
    let compression = parts.extensions.remove::<Compression>().unwrap_or(config.compression);
    let coding = match compression {
        Compression::On => compress::prepare(&mut parts, length, asked.coding),
        Compression::Off => None,
    };
    add_server(&mut parts.headers, &config);
    // hyper writes the version it is speaking; another one would be an invalid message.
    parts.version = Version::HTTP_11;
    let body = if asked.head || bodiless(parts.status) {
        fix_bodiless_head(&mut parts.headers, parts.status, length.filter(|_| coding.is_none()));
        EdgeBody::empty(in_flight)
    } else {
        let measured = Measured::new(body, length);
        match coding {
            Some(coding) => EdgeBody::compressed(Compressor::new(measured, coding, length), asked, in_flight),
            None => EdgeBody::measured(measured, asked, in_flight),
        }
    };
    Response::from_parts(parts, body)
}

/// Statuses whose responses have no content (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
fn bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    if let Some(named) = headers.get(CONNECTION).cloned() {
        let names = named.to_str().unwrap_or_default().split(',');
        names.filter_map(|name| name.trim().parse::<HeaderName>().ok()).for_each(|name| {
            headers.remove(name);
        });
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

struct BadHead;

/// The body's length in bytes where it is known. An error where the head and the body contradict each other:
/// sent like that, the client would take a part of this response for the next one.
fn body_length(headers: &HeaderMap, body: &ResponseBody, status: StatusCode) -> Result<Option<u64>, BadHead> {
    if status.is_informational() {
        return Err(BadHead);
    }
    let mut declared = headers.get_all(CONTENT_LENGTH).iter();
    let exact = body.size_hint().exact();
    let Some(first) = declared.next() else { return Ok(exact) };
    let number = first.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number: u64 = number.and_then(|text| text.parse().ok()).ok_or(BadHead)?;
    // An empty body beside a length is how a gateway answers HEAD.
    let fits = exact.is_none_or(|exact| exact == number || exact == 0);
    if declared.next().is_none() && fits { Ok(Some(number)) } else { Err(BadHead) }
}

fn fix_bodiless_head(headers: &mut HeaderMap, status: StatusCode, length: Option<u64>) {
    if bodiless(status) {
        headers.remove(CONTENT_LENGTH);
        if status == StatusCode::RESET_CONTENT {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
    } else if let Some(length) = length.filter(|length| *length > 0) {
        // An empty body without a declared length says nothing of what GET would get.
        headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
}

pub(crate) fn add_server(headers: &mut HeaderMap, config: &EdgeConfig) {
    if let Some(server) = &config.server {
        headers.entry(SERVER).or_insert_with(|| server.clone());
    }
}
