//! The stage `answer`: what needs no guest is answered here, and what does goes on with what it needs.

use fasterapi_runtime::Call;

use crate::{
    answers::Whole,
    layers::{Dressing, Verdict},
    plan::Plan,
    revision::{Revision, ServedRoute},
};

/// How a request goes on.
pub(crate) enum Way<'a> {
    /// Not at all: this is its answer, and what goes on top of it.
    Answered(Whole, Dressing<'a>),
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
    let (verdict, dressing) = revision.layers().judge(&call.head, path);
    match verdict {
        Verdict::Answer(answer) => return Way::Answered(answer, dressing),
        Verdict::Ask => return Way::Guest(Onward { plan: None, dressing }),
        Verdict::Pass => {}
    }
    match route.known.iter().find_map(|known| known.answer(call, path)) {
        Some(answer) => Way::Answered(answer, dressing),
        None => Way::Guest(Onward { plan: route.plan.as_ref(), dressing }),
    }
}
