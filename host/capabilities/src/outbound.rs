//! Outbound HTTP: refused. No grant for outbound hosts exists yet, so `wasi:http/client` answers every request
//! with `HTTP-request-denied`.

use http::Request;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// The hooks of an instance that may not call out.
#[derive(Clone, Copy, Debug, Default)]
pub struct DenyOutbound;

type Exchange = (http::Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>);

impl WasiHttpHooks for DenyOutbound {
    fn send_request(
        &mut self,
        _request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _sent: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<Exchange>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
