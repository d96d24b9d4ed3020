//! Starlette's `GZipMiddleware` (`starlette/middleware/gzip.py`), for answers that are whole. The bytes are those of zlib
//! itself, called as CPython calls it; so they are the same as the app's own.

use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use bytes::Bytes;
use fasterapi_core::layers;
use flate2::{Compress, CompressError, Compression, FlushCompress, Status};
use http::{HeaderMap, HeaderValue, StatusCode, header};
// It has `flate2` stand on zlib as its authors make it, not on the machine's, which may be another.
use libz_sys as _;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::vary_by;

/// Bytes of a body that is compressed at once: a millisecond's work, at most. A longer one would keep a core from other
/// requests.
const AT_ONCE: usize = 16 * 1024;

/// `zlib.MAX_WBITS`.
const WINDOW_BITS: u8 = 15;

#[derive(Debug)]
pub(super) struct Gzip {
    minimum_size: usize,
    level: u32,
    excluded: Vec<String>,
    /// One permit for each long body that is being compressed, as many as there are cores.
    compressing: Arc<Semaphore>,
}

/// Whether Starlette takes a client for one that accepts it.
pub(super) fn is_accepted(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    accepted.is_some_and(|value| value.as_bytes().windows(4).any(|word| word == b"gzip"))
}

impl Gzip {
    pub(super) fn new(options: &layers::Gzip) -> Option<Self> {
        let cores = available_parallelism().map_or(1, NonZero::get);
        Some(Self {
            minimum_size: usize::try_from(options.minimum_size).ok()?,
            level: options.level.into(),
            excluded: options.excluded.clone(),
            compressing: Arc::new(Semaphore::new(cores)),
        })
    }

    pub(super) async fn dress(
        &self,
        accepted: bool,
        status: StatusCode,
        headers: &mut HeaderMap,
        body: &mut Bytes,
    ) {
        let is_left = status == StatusCode::PARTIAL_CONTENT
            || headers.contains_key(header::CONTENT_ENCODING)
            || self.excludes(headers);
        if is_left || body.len() < self.minimum_size {
            return;
        }
        vary_by(headers, "Accept-Encoding");
        if accepted && let Some(zipped) = self.zipped(body.clone()).await {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(zipped.len()));
            *body = zipped;
        }
    }

    fn excludes(&self, headers: &HeaderMap) -> bool {
        let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let kind: String = kind.iter().copied().map(char::from).take_while(|char| *char != ';').collect();
        let kind = kind.trim().to_lowercase();
        let family = format!("{}/*", kind.split('/').next().unwrap_or_default());
        let is_grpc = kind.starts_with("application/grpc+");
        let excluded = |word: &str| word == kind || word == family || (is_grpc && word == "application/grpc");
        self.excluded.iter().any(|word| excluded(word))
    }

    /// None: it cannot be compressed, and goes as it is. Dropped, it leaves what it has begun to end by itself.
    async fn zipped(&self, body: Bytes) -> Option<Bytes> {
        let level = self.level;
        let zipped = if body.len() <= AT_ONCE {
            zip(level, &body)
        } else {
            let permit = Arc::clone(&self.compressing).acquire_owned().await.ok()?;
            let work = spawn_blocking(move || {
                let zipped = zip(level, &body);
                drop(permit);
                zipped
            });
            work.await.ok()?
        };
        zipped
            .inspect_err(|error| tracing::error!("cannot compress an answer: {error}"))
            .ok()
            .map(Bytes::from)
    }
}

/// Python's `zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)`: `compress(body) + flush()`.
fn zip(level: u32, body: &[u8]) -> Result<Vec<u8>, CompressError> {
    let mut zip = Compress::new_gzip(Compression::new(level), WINDOW_BITS);
    let mut zipped = Vec::with_capacity(body.len() / 2 + 64);
    let mut rest = body;
    loop {
        let flush = if rest.is_empty() { FlushCompress::Finish } else { FlushCompress::None };
        let before = zip.total_in();
        let status = zip.compress_vec(rest, &mut zipped, flush)?;
        let taken = usize::try_from(zip.total_in() - before).unwrap_or(usize::MAX);
        rest = rest.get(taken..).unwrap_or_default();
        if status == Status::StreamEnd {
            return Ok(zipped);
        }
        zipped.reserve(body.len() / 2 + 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(minimum_size: usize) -> Gzip {
        let excluded = ["application/grpc", "image/png", "audio/*"].map(str::to_owned).to_vec();
        let minimum_size = minimum_size.try_into().unwrap();
        Gzip::new(&layers::Gzip { minimum_size, level: 9, excluded }).unwrap()
    }

    fn latin1(text: &str) -> Vec<u8> {
        text.chars().map(|char| u8::try_from(char).unwrap()).collect()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_bytes(&latin1(value)).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    /// The right columns are what CPython's `zlib` says.
    #[test]
    fn bytes_are_zlibs() {
        let zipped = zip(9, &b"abcabcabc ".repeat(100)).unwrap();
        let expected =
            b"\x1f\x8b\x08\0\0\0\0\0\x02\x03KLJN\x04#\x85\xc4Q\xd6(k\x945L\x59\0\x08R\xb0\xa0\xe8\x03\0\0";
        assert_eq!(zipped, expected);
        for (level, length, digest) in [
            (1, 175_588, 0x2a3c_d3b4_73b8_6af7),
            (3, 174_575, 0xef68_7187_2742_6565),
            (4, 171_252, 0x4264_94ea_c665_e288),
            (6, 171_338, 0x2936_8461_5a73_ea85),
            (9, 171_338, 0xc42f_a3e7_1dd9_ddef),
        ] {
            let zipped = zip(level, &noise(300_000)).unwrap();
            assert_eq!((zipped.len(), fnv(&zipped)), (length, digest), "level {level}");
        }
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + u8::try_from(state >> 28).unwrap()
        });
        next.take(length).collect()
    }

    fn fnv(bytes: &[u8]) -> u64 {
        bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
    }

    async fn dressed(pairs: &[(&'static str, &str)], size: usize, accepted: bool) -> (HeaderMap, Bytes) {
        let (mut headers, mut body) = (headers(pairs), Bytes::from(noise(size)));
        gzip(100).dress(accepted, StatusCode::OK, &mut headers, &mut body).await;
        (headers, body)
    }

    #[tokio::test]
    async fn what_is_long_enough_is_compressed() {
        for size in [100, AT_ONCE, AT_ONCE + 1] {
            let declared = size.to_string();
            let given = [("content-length", declared.as_str()), ("vary", "a"), ("vary", "b")];
            let (found, body) = dressed(&given, size, true).await;
            let length = body.len().to_string();
            let names = [("content-length", &*length), ("vary", "a, b, Accept-Encoding")];
            assert_eq!(found, headers(&[&names[..], &[("content-encoding", "gzip")]].concat()));
            assert_eq!(body, zip(9, &noise(size)).unwrap());
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_accept_it_is_told_that_others_may() {
        let (found, body) = dressed(&[], 100, false).await;
        assert_eq!((found, body.len()), (headers(&[("vary", "Accept-Encoding")]), 100));
    }

    #[tokio::test]
    async fn what_starlette_leaves_is_left() {
        assert_eq!(dressed(&[], 99, true).await.0, HeaderMap::new());
        for (name, value) in [
            ("content-encoding", ""),
            ("content-type", "image/png"),
            ("content-type", " Image/PNG ; a=b"),
            ("content-type", "audio/anything"),
            ("content-type", "AUDIO"),
            ("content-type", "application/grpc+proto"),
            ("content-type", "\u{a0}image/png"),
        ] {
            let (found, body) = dressed(&[(name, value)], 1000, true).await;
            assert_eq!((found, body.len()), (headers(&[(name, value)]), 1000), "{value}");
        }
        for kind in ["image/pngs", "image", "application/json", "", "é"] {
            let (found, _) = dressed(&[("content-type", kind)], 1000, true).await;
            assert_eq!(found.get("content-encoding").unwrap(), "gzip", "{kind}");
        }
        let (mut headers, mut body) = (HeaderMap::new(), Bytes::from(noise(1000)));
        gzip(100).dress(true, StatusCode::PARTIAL_CONTENT, &mut headers, &mut body).await;
        assert_eq!((headers, body.len()), (HeaderMap::new(), 1000));
    }

    #[test]
    fn acceptance_is_the_first_headers_word() {
        for (values, accepted) in [
            (&["br, gzip;q=0"][..], true),
            (&["x-gzip"], true),
            (&["GZIP"], false),
            (&["br", "gzip"], false),
            (&["gzi"], false),
            (&[], false),
        ] {
            let values = values.iter().map(|value| ("accept-encoding", *value)).collect::<Vec<_>>();
            assert_eq!(is_accepted(&headers(&values)), accepted, "{values:?}");
        }
    }
}
