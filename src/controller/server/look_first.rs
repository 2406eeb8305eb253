//! Before what was only looked at is written, Azure is asked what it is.

use api::reason::Reason;
use kube::ResourceExt;

use super::{
    context::Context,
    nudge::{self, Poked},
    write::{Error, key},
};
use crate::azure::{
    AsoObject, adoption,
    condition::{self, Progress},
};

/// Before what Azure Service Operator only looked at is written, Azure is asked what it is: it may be gone since the last
/// look, and a write would make it anew and empty; or it has grown, and Azure would refuse the whole change. Gives how far that
/// is while it isn't known; `None` where the write may go ahead.
pub(crate) async fn look_first<K: AsoObject>(
    context: &Context,
    found: &K,
) -> Result<Option<Progress>, Error> {
    let progress = condition::progress(found);
    // Whether an empty one is wanted in its place was decided by what is written here.
    if adoption::is_absent(&progress) {
        return Ok(None);
    }
    let key = key::<K>(&found.namespace().unwrap_or_default(), &found.name_any());
    match context.looks.has_looked_again(&key, found) {
        Some(true) => {
            context.looks.used(&key);
            Ok(None)
        }
        Some(false) => Ok(Some(match progress {
            // What keeps it from looking is worth telling.
            Progress::GaveUp { .. } | Progress::Retrying { .. } => progress,
            Progress::Ready | Progress::Sent | Progress::Working => Progress::Sent,
        })),
        None => Ok(match nudge::poke(context, found).await? {
            Poked::Asked(generation) => {
                context.looks.asked_again(key, found.uid(), generation);
                Some(Progress::Sent)
            }
            // The cache will tell what it is now.
            Poked::Changed => Some(Progress::Sent),
            // In doubt nothing is written.
            Poked::Impossible => Some(Progress::GaveUp {
                reason: Reason::LeftAlone.as_str().to_owned(),
                message: "somebody has written both spec.operatorSpec.configMapExpressions and secretExpressions, so that \
                          Azure Service Operator can't be asked to look at Azure before the change is sent; remove one of \
                          them"
                    .to_owned(),
            }),
        }),
    }
}
