//! Has Azure Service Operator try again where it would wait for an hour, or for ever.
//!
//! After most answers of Azure's it tries again as seldom as it compares with Azure at all, and after some only when the object
//! has changed. Of a database that apps log in to, what Azure refused was only a comparison: it is tried again after minutes,
//! less and less often. Azure Service Operator looks at an object when its generation has changed, so its empty
//! `operatorSpec`, which says nothing, is put there or taken away.
//! <https://github.com/Azure/azure-service-operator/blob/v2.20.0/v2/internal/controllers/controller_resources.go>

use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use super::{
    context::Context,
    write::{self, Error},
};
use crate::{
    azure::{AsoObject, condition::Progress},
    labels::OPERATOR,
};

/// Has the object tried again if it is in trouble and it is time.
pub(crate) async fn nudge<K: AsoObject>(
    context: &Context,
    found: &K,
    progress: &Progress,
    serves: bool,
) -> Result<(), Error> {
    let (namespace, name) = (found.namespace().unwrap_or_default(), found.name_any());
    let key = write::key::<K>(&namespace, &name);
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
    poke(context, found).await.map(drop)
}

/// What comes of asking Azure Service Operator to look at an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Poked {
    /// It will have looked when it has seen this generation.
    Asked(i64),
    /// The object isn't as the cache shows it any more, or is gone.
    Changed,
    /// Somebody has said something where we would.
    Impossible,
}

/// Has Azure Service Operator look at an object.
pub(crate) async fn poke<K: AsoObject>(context: &Context, found: &K) -> Result<Poked, Error> {
    let (namespace, name) = (found.namespace().unwrap_or_default(), found.name_any());
    let kind = K::kind(&()).into_owned();
    let failed = |source| Error::Api { kind: kind.clone(), name: name.clone(), source: Box::new(source) };
    let of = GroupVersionKind::gvk(&K::group(&()), &K::version(&()), &kind);
    let resource = ApiResource::from_gvk_with_plural(&of, &K::plural(&()));
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), &namespace, &resource);
    let live = api.get_opt(&name).await.map_err(failed)?;
    let Some(live) = live.filter(|live| live.uid() == found.uid()) else { return Ok(Poked::Changed) };
    let Some(change) = change(&live.data) else { return Ok(Poked::Impossible) };
    let body = json!({
        "metadata": {"uid": live.uid(), "resourceVersion": live.resource_version()},
        "spec": {"operatorSpec": change},
    });
    let parameters = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    let poked = match api.patch(&name, &parameters, &Patch::Merge(body)).await {
        Ok(poked) => poked,
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(Poked::Changed),
        Err(error) => return Err(failed(error)),
    };
    context.count_write(&kind);
    tracing::info!(kind, namespace, name, "asked Azure Service Operator to look again");
    Ok(poked.metadata.generation.map_or(Poked::Impossible, Poked::Asked))
}

/// What says nothing and makes another generation; `None` where somebody has said something there.
fn change(object: &Value) -> Option<Value> {
    match &object["spec"]["operatorSpec"] {
        Value::Null => Some(json!({})),
        Value::Object(said) if said.is_empty() => Some(Value::Null),
        // Beside what somebody has said, one of these is empty: <https://azure.github.io/azure-service-operator/guide/expressions/>
        Value::Object(said) => {
            ["configMapExpressions", "secretExpressions"].into_iter().find_map(|list| match said.get(list) {
                None | Some(Value::Null) => Some(json!({list: []})),
                Some(Value::Array(said)) if said.is_empty() => Some(json!({list: null})),
                Some(_) => None,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::nudge::*;

    #[rstest]
    #[case(json!({"spec": {}}), Some(json!({})))]
    #[case(json!({"spec": {"operatorSpec": {}}}), Some(Value::Null))]
    #[case(json!({"spec": {"operatorSpec": {"secrets": {}}}}), Some(json!({"configMapExpressions": []})))]
    #[case(
        json!({"spec": {"operatorSpec": {"configMapExpressions": []}}}),
        Some(json!({"configMapExpressions": null}))
    )]
    #[case(
        json!({"spec": {"operatorSpec": {"configMapExpressions": [{"name": "a"}]}}}),
        Some(json!({"secretExpressions": []}))
    )]
    #[case(
        json!({"spec": {"operatorSpec": {"configMapExpressions": [{"name": "a"}], "secretExpressions": [{"name": "b"}]}}}),
        None
    )]
    fn a_nudge_changes_nothing_that_anybody_said(#[case] object: Value, #[case] expected: Option<Value>) {
        assert_eq!(change(&object), expected);
    }
}
