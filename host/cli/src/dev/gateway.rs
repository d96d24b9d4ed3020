//! What requests meet: the app as it was last built well, and to browsers the error of the change after it.

use std::sync::Arc;

use fasterapi_edge::{Compression, Gateway, RequestBody, ResponseBody, websocket::Handshake};
use fasterapi_platform::Platform;
use http::{Request, Response, header};
use tokio::sync::watch;

use super::{trouble::Trouble, workshop::Made};

/// Answers with what is on show.
pub(crate) struct DevGateway {
    show: watch::Sender<Show>,
}

/// Neither an app nor a trouble: the first build is under way, and requests wait for its end.
#[derive(Clone, Default)]
struct Show {
    app: Option<App>,
    trouble: Option<Arc<Trouble>>,
}

#[derive(Clone)]
struct App {
    platform: Arc<Platform>,
    compression: Compression,
}

impl DevGateway {
    pub(crate) fn new() -> Self {
        Self { show: watch::Sender::new(Show::default()) }
    }

    /// Serves what was made. The future ends when the version before it is done with its requests.
    pub(crate) fn put_live(&self, made: Made) -> Option<impl Future<Output = ()> + Send + use<>> {
        let Made { revision, compression, .. } = made;
        let (platform, retiring) = match self.platform() {
            Some(platform) => {
                // First, so that nobody who met the new version meets the trouble of the one before.
                self.mend();
                (Arc::clone(&platform), Some(platform.swap(revision)))
            }
            None => (Arc::new(Platform::new(revision)), None),
        };
        self.show.send_replace(Show { app: Some(App { platform, compression }), trouble: None });
        retiring
    }

    /// The sources are again what serves. Whether there was a trouble.
    pub(crate) fn mend(&self) -> bool {
        self.show.send_if_modified(|show| show.trouble.take().is_some())
    }

    /// Shows an error. Whether a version from before serves on.
    pub(crate) fn break_with(&self, trouble: &Arc<Trouble>) -> bool {
        self.show.send_modify(|show| show.trouble = Some(Arc::clone(trouble)));
        self.show.borrow().app.is_some()
    }

    pub(crate) fn platform(&self) -> Option<Arc<Platform>> {
        self.show.borrow().app.as_ref().map(|app| Arc::clone(&app.platform))
    }

    async fn shown(&self) -> Show {
        let mut show = self.show.subscribe();
        let ready = show.wait_for(|show| show.app.is_some() || show.trouble.is_some()).await;
        ready.map(|show| show.clone()).unwrap_or_default()
    }
}

impl Gateway for DevGateway {
    async fn handle(&self, request: Request<RequestBody>) -> Response<ResponseBody> {
        let Show { app, trouble } = self.shown().await;
        let browser = is_of_browser(&request);
        match (app, trouble) {
            (_, Some(trouble)) if browser => trouble.page(),
            (Some(app), _) => {
                let mut response = app.platform.handle(request).await;
                response.extensions_mut().get_or_insert(app.compression);
                response
            }
            (None, trouble) => trouble.unwrap_or_default().text(),
        }
    }

    async fn upgrade(&self, request: Request<RequestBody>) -> Handshake {
        match self.shown().await {
            Show { app: Some(app), .. } => app.platform.upgrade(request).await,
            Show { trouble, .. } => Handshake::Refused(trouble.unwrap_or_default().text()),
        }
    }
}

/// Whether it asks for a page to show: scripts and programs do not name HTML.
fn is_of_browser(request: &Request<RequestBody>) -> bool {
    let accepts = request.headers().get_all(header::ACCEPT).iter();
    accepts.filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/html"))
}
