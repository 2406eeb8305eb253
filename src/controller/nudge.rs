//! Has Azure Service Operator try again where it would wait for an hour, or for ever.
//!
//! After most answers of Azure's it tries again as seldom as it compares with Azure at all, and after some only when the object
//! has changed. Of a database that apps log in to, what Azure refused was only a comparison: it is tried again after minutes,
//! less and less often. Azure Service Operator looks at an object when its generation has changed, so its empty
//! `operatorSpec`, which says nothing, is put there or taken away.
//! <https://github.com/Azure/azure-service-operator/blob/v2.20.0/v2/internal/controllers/controller_resources.go>

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use super::{
    apply::{self, Error},
    context::Context,
};
use crate::azure::{AsoObject, OPERATOR, condition::Progress};

/// How long after the trouble began.
const FIRST: SignedDuration = SignedDuration::from_mins(5);
/// As seldom as Azure Service Operator compares with Azure by itself.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// When each object in trouble is to be tried again. Forgotten with the process, which then begins anew.
#[derive(Debug, Default)]
pub(super) struct Nudges(Mutex<HashMap<String, Next>>);

#[derive(Debug)]
struct Next {
    at: Timestamp,
    wait: SignedDuration,
}

impl Nudges {
    /// Whether it is time; then the next one comes after twice the wait.
    fn is_due(&self, object: String, now: Timestamp) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = all
            .entry(object)
            .or_insert_with(|| Next { at: now.saturating_add(FIRST).unwrap_or(now), wait: FIRST });
        if now < next.at {
            return false;
        }
        next.wait = (next.wait * 2).min(LONGEST);
        next.at = now.saturating_add(next.wait).unwrap_or(now);
        true
    }

    /// It is well, or nobody waits for it.
    fn forget(&self, object: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}

/// Has the object tried again if it is in trouble and it is time.
pub(super) async fn nudge<K: AsoObject>(
    context: &Context,
    found: &K,
    progress: &Progress,
    serves: bool,
) -> Result<(), Error> {
    let (namespace, name) = (found.namespace().unwrap_or_default(), found.name_any());
    let key = apply::key::<K>(&namespace, &name);
    match progress {
        Progress::GaveUp { .. } | Progress::Retrying { .. } if serves => {}
        // It is being tried.
        Progress::Sent | Progress::Working if serves => return Ok(()),
        _ => {
            context.nudges.forget(&key);
            return Ok(());
        }
    }
    if !context.nudges.is_due(key, context.now()) {
        return Ok(());
    }
    let kind = K::kind(&()).into_owned();
    let failed = |source| Error::Api { kind: kind.clone(), name: name.clone(), source: Box::new(source) };
    let of = GroupVersionKind::gvk(&K::group(&()), &K::version(&()), &kind);
    let resource = ApiResource::from_gvk_with_plural(&of, &K::plural(&()));
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &namespace, &resource);
    let Some(live) = api.get_opt(&name).await.map_err(failed)? else { return Ok(()) };
    let Some(change) = change(&live.data) else { return Ok(()) };
    let body = json!({
        "metadata": {"uid": live.uid(), "resourceVersion": live.resource_version()},
        "spec": {"operatorSpec": change},
    });
    let parameters = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    match api.patch(&name, &parameters, &Patch::Merge(body)).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    context.count_write(&kind);
    tracing::info!(kind, namespace, name, "asked Azure Service Operator to try again");
    Ok(())
}

/// What says nothing and makes another generation; `None` where somebody has said something there.
fn change(object: &Value) -> Option<Value> {
    match &object["spec"]["operatorSpec"] {
        Value::Null => Some(json!({})),
        Value::Object(said) if said.is_empty() => Some(Value::Null),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(json!({"spec": {}}), Some(json!({})))]
    #[case(json!({"spec": {"operatorSpec": {}}}), Some(Value::Null))]
    #[case(json!({"spec": {"operatorSpec": {"secrets": {}}}}), None)]
    fn a_nudge_changes_nothing_that_anybody_said(#[case] object: Value, #[case] expected: Option<Value>) {
        assert_eq!(change(&object), expected);
    }

    #[test]
    fn an_object_is_tried_again_less_and_less_often_until_it_is_well() {
        let (nudges, start) = (Nudges::default(), "2026-11-28T12:00:00Z".parse::<Timestamp>().unwrap());
        let at = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let due = |minutes: i64| nudges.is_due("a".to_owned(), at(minutes));
        let times: Vec<i64> = (0..=300).filter(|minutes| due(*minutes)).collect();
        assert_eq!(times, [5, 15, 35, 75, 135, 195, 255]);
        nudges.forget("a");
        assert!(!due(300) && due(305), "it begins anew");
    }
}
