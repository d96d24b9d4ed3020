//! What stands between the socket and hyper's HTTP/1 parser.
//!
//! hyper 1 refuses most malformed heads, but answers them with an empty body, and lets some pass that invite
//! request smuggling. The [`Guard`] reads the same bytes first, with the same parser (`httparse`, its default
//! settings), so both see the same lines; hyper gets a head only when it is whole and clean.
//!
//! What hyper does and what we add:
//!
//! | input | hyper alone | here |
//! |---|---|---|
//! | `Content-Length` and `Transfer-Encoding` | takes the latter, closes after | 400 |
//! | `Content-Length` twice, same value | takes it | 400 |
//! | `Content-Length` twice, different; not a number | 400, empty body | 400 |
//! | `Transfer-Encoding` other than `chunked` | takes `gzip, chunked` | 400 |
//! | bare LF in the head | takes it | 400 |
//! | bare LF or stray bytes in the chunked coding | mostly an error | always an error |
//! | white space around a chunk's size | takes it | an error |
//! | obs-fold, space before the colon, control characters | 400, empty body | 400 |
//! | no `Host` (1.1), several, or a malformed one | takes it | 400 |
//! | a target that is neither path nor absolute URI nor `*` | takes some | 400 |
//! | a target with bytes beyond ASCII | takes UTF-8 | 400 |
//! | `"`, `<`, `>` and backticks in a target | 400, empty body | percent-encoded in their place |
//! | HTTP/2's preface with HTTP/2 off, other versions | 400, empty body | 505 |
//! | a head over the limits | 431 or 414, empty body | 431 or 414 |
//! | a head that does not end in time | closes without a word | 408 |
//!
//! Every refusal is a problem document and ends the connection.

mod chunks;
mod framing;
mod guard;
mod head;

pub(crate) use guard::{Guard, is_replacement};
pub(crate) use head::valid_host;
