//! The compiled lane's call: `fasterapi:app/compiled` in `wit/world.wit`. One string in, one string out.
//!
//! The interface is optional, so it is not in the bindings: a guest that lacks it answers through `http.handle` alone.
//! What comes back is hostile, and parsed into checked types.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use wasmtime::{
    Store,
    component::{Component, ComponentExportIndex, Instance, TypedFunc},
};

use crate::{
    error::InvokeError,
    head::{Head, PlannedCall, latin1, unpack},
    image::first_line,
    state::GuestState,
};

const INTERFACE: &str = "fasterapi:app/compiled@0.1.0";

/// Opens and closes a head before a body of UTF-8.
const TEXT: char = '\u{2}';

/// Opens and closes a head before a body of any bytes, as latin-1.
const BYTES: char = '\u{3}';

type Function = TypedFunc<(u64, u32, String, String, Vec<u8>), (String,)>;

/// Where a component has the call.
#[derive(Clone, Copy)]
pub(crate) struct Export(ComponentExportIndex);

impl Export {
    pub(crate) fn of(component: &Component) -> Option<Self> {
        let interface = component.get_export_index(None, INTERFACE)?;
        component.get_export_index(Some(&interface), "call").map(Self)
    }

    pub(crate) fn bind(
        self,
        store: &mut Store<GuestState>,
        instance: &Instance,
    ) -> wasmtime::Result<Compiled> {
        instance.get_typed_func(store, self.0).map(Compiled)
    }
}

/// The call of one instance.
pub(crate) struct Compiled(Function);

impl Compiled {
    /// Has the plan answer request `number`. None: the request is to be given to `http.handle` next.
    pub(crate) async fn call(
        &self,
        store: &mut Store<GuestState>,
        number: u64,
        planned: PlannedCall,
        head: String,
        body: &Bytes,
    ) -> Result<Option<(Head, Bytes)>, InvokeError> {
        let status = planned.status;
        let body = if planned.body || planned.head { body.to_vec() } else { Vec::new() };
        let called = self.0.call_async(store, (number, planned.plan, planned.values, head, body)).await;
        let (answer,) = called.map_err(|trap| InvokeError::Trapped(first_line(&trap)))?;
        Ok(read(answer, status)?.map(|(head, body)| (Head { planned: true, ..head }, body)))
    }
}

fn read(answer: String, status: http::StatusCode) -> Result<Option<(Head, Bytes)>, InvokeError> {
    match answer.chars().next() {
        None => Err(InvokeError::Malformed("an empty answer")),
        Some('\0') => Ok(None),
        Some(mark @ (TEXT | BYTES)) => packed(answer, mark).map(Some),
        Some(_) => Ok(Some(json(answer, status))),
    }
}

fn json(answer: String, status: http::StatusCode) -> (Head, Bytes) {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(answer.len()));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (Head { status, headers, lent: None, planned: false }, answer.into())
}

fn packed(answer: String, mark: char) -> Result<(Head, Bytes), InvokeError> {
    let rest = answer.get(mark.len_utf8()..).unwrap_or_default();
    let (head, body) = rest.split_once(mark).ok_or(InvokeError::Malformed("a head without an end"))?;
    let head = unpack(head.to_owned())?;
    let body = match mark {
        BYTES => latin1(body.to_owned())?,
        _ => {
            let start = answer.len() - body.len();
            Bytes::from(answer).slice(start..)
        }
    };
    Ok((head, body))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn answer(text: &str) -> Result<Option<(u16, String, String)>, String> {
        let read = read(text.to_owned(), StatusCode::CREATED).map_err(|error| error.to_string())?;
        Ok(read.map(|(head, body)| {
            let headers = head.headers.iter();
            let headers: Vec<_> =
                headers.map(|(name, value)| format!("{name}={}", value.to_str().unwrap_or("?"))).collect();
            (head.status.as_u16(), headers.join(" "), String::from_utf8_lossy(&body).into_owned())
        }))
    }

    #[test]
    fn answers_are_read() {
        let json = (201, "content-length=4 content-type=application/json".to_owned(), "\"é\"".to_owned());
        assert_eq!(answer("\"é\""), Ok(Some(json)));
        assert_eq!(answer("\0"), Ok(None));
        let packed = (404, "a=b c=d".to_owned(), "ü\u{2}".to_owned());
        assert_eq!(answer("\u{2}404\0a\0b\0c\0d\u{2}ü\u{2}"), Ok(Some(packed)));
        let (_, body) = read("\u{3}200\u{3}\u{ff}\0".to_owned(), StatusCode::OK).unwrap().unwrap();
        assert_eq!(body.as_ref(), b"\xff\0");
        assert_eq!(answer("\u{2}204\u{2}"), Ok(Some((204, String::new(), String::new()))));
    }

    #[test]
    fn hostile_answers_are_refused() {
        for text in ["", "\u{2}", "\u{2}200", "\u{2}99\u{2}", "\u{2}200\0a\u{2}", "\u{2}200\0a\0\u{100}\u{2}"]
        {
            assert!(answer(text).is_err(), "{text:?}");
        }
    }
}
