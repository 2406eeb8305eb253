//! Fields of the API that have no effect yet. They are refused rather than ignored: who asks for a password must not
//! believe that there is one.

use api::Authentication;

use super::Context;
use crate::{Code, Problem};

/// No field without effect is newly set to anything but what happens anyway.
pub(super) fn fields(context: &Context<'_>) -> Option<Problem> {
    let is_new = context.changed(|spec| spec.authentication);
    (context.new.authentication == Some(Authentication::Password) && is_new).then(|| {
        let text =
            "\"Password\" is not available in this version of the operator; use Identity, or leave it out";
        Problem::new(Code::NotAvailable, "spec.authentication", text)
    })
}
