//! The stage `answer`: what needs no guest is answered here, and what does goes on with what it needs.

use fasterapi_edge::ResponseBody;
use fasterapi_runtime::Call;
use http::Response;

use crate::{
    layers::{Dressing, Verdict},
    plan::Plan,
    revision::{Revision, ServedRoute},
};

/// How a request goes on.
pub(crate) enum Way<'a> {
    /// Not at all: this is its answer.
    Answered(Response<ResponseBody>),
    /// To a guest.
    Guest(Onward<'a>),
}

/// What a request for a guest is given along.
pub(crate) struct Onward<'a> {
    /// The plan that it may be asked first.
    pub(crate) plan: Option<&'a Plan>,
    /// What goes on top of that plan's answer.
    pub(crate) dressing: Dressing<'a>,
}

/// Answers a whole request for a **decoded** path, if the host can. What a layer is not certain of goes to the app's own.
pub(crate) fn answer<'a>(revision: &'a Revision, route: &'a ServedRoute, call: &Call, path: &str) -> Way<'a> {
    let dressing = revision.layers().dressing(&call.head);
    match revision.layers().judge(&call.head, path) {
        Verdict::Answer(answer) => return Way::Answered(answer),
        Verdict::Ask => return Way::Guest(Onward { plan: None, dressing }),
        Verdict::Pass => {}
    }
    match route.known.iter().find_map(|known| known.answer(call, path)) {
        Some(mut answer) => {
            dressing.put_on(answer.headers_mut());
            Way::Answered(answer)
        }
        None => Way::Guest(Onward { plan: route.plan.as_ref(), dressing }),
    }
}
