//! Drops what nobody reads of a `Database`. Anybody may write one in a namespace of his own, and his labels, annotations
//! and notes can be far larger than all that counts.

use api::Database;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::PartialObjectMeta;

/// As many characters of an annotation are kept: a longer one doesn't count anyway.
const LONGEST_ANNOTATION: usize = 4096;
/// As many annotations are kept. We know a handful.
const MOST: usize = 32;

/// Drops it.
pub(crate) fn database(database: &mut Database) {
    metadata(&mut database.metadata);
}

/// The metadata of one, less that.
pub(crate) fn listed(object: PartialObjectMeta<Database>) -> ObjectMeta {
    let mut listed = object.metadata;
    metadata(&mut listed);
    listed
}

fn metadata(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    metadata.labels = None;
    metadata.owner_references = None;
    let Some(annotations) = metadata.annotations.take() else { return };
    let is_ours = |key: &str| key.split_once('/').is_some_and(|(group, _)| group == api::GROUP);
    let ours = annotations.into_iter().filter(|(key, _)| is_ours(key)).take(MOST);
    let kept = ours.map(|(key, mut value)| {
        if let Some((end, _)) = value.char_indices().nth(LONGEST_ANNOTATION) {
            value.truncate(end);
            value.push('…');
            value.shrink_to_fit();
        }
        (key, value)
    });
    metadata.annotations = Some(kept.collect());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cluster::trim::*;

    #[test]
    fn what_a_tenant_writes_beside_what_counts_is_dropped() {
        let long = "ä".repeat(100_000);
        let mut annotations =
            json!({"altinn.app/retention": "Retain", "altinn.app/confirm-destroy": long, "x": long});
        for number in 0..1000 {
            annotations[format!("altinn.app/z{number}")] = json!("");
            annotations[format!("altinn.application/{number}")] = json!("");
        }
        let mut found: Database = serde_json::from_value(json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
            "metadata": {
                "name": "main", "uid": "u", "finalizers": ["altinn.app/retain-data"], "annotations": annotations,
                "labels": {"a": "b"}, "ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": long, "uid": "b"}],
                "managedFields": [{"manager": long}],
            },
        }))
        .unwrap();
        database(&mut found);
        let kept = found.metadata.annotations.as_ref().unwrap();
        assert_eq!(kept["altinn.app/retention"], "Retain");
        assert_eq!(
            kept["altinn.app/confirm-destroy"].chars().count(),
            LONGEST_ANNOTATION + 1,
            "still not what it was"
        );
        assert_eq!(kept.len(), MOST);
        assert_eq!(found.metadata.finalizers.as_ref().unwrap().len(), 1);
        assert!(serde_json::to_vec(&found).unwrap().len() < 4 * LONGEST_ANNOTATION);
    }
}
