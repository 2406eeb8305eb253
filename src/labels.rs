//! Owner labels: which `Database` an object stands for.

use std::collections::BTreeMap;

use api::{Database, DatabaseRef};
use kube::{Resource, runtime::reflector::ObjectRef};

/// Label of everything that stands for a `Database`: its namespace.
pub(crate) const DATABASE_NAMESPACE: &str = "altinn.app/database-namespace";
/// Label of everything that stands for a `Database`: its name.
pub(crate) const DATABASE_NAME: &str = "altinn.app/database-name";
/// Label by which the operator knows its own objects.
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub(crate) const OPERATOR: &str = "database-operator";

/// Label by which Argo CD knows what belongs to an Application, unless it is configured otherwise: an object without an owner
/// that has an Application's name counts as a part of it, and is pruned. Objects had it once, with the name of their
/// `Database`. <https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/>
pub(crate) const TRACKED: &str = "app.kubernetes.io/instance";

/// Whether an object still has the label [`TRACKED`] as it was written once.
pub(crate) fn is_tracked<K: kube::ResourceExt>(object: &K) -> bool {
    let tracked = object.labels().get(TRACKED);
    tracked.is_some() && tracked == object.labels().get(DATABASE_NAME)
}

/// Labels of everything that stands for a `Database`, wherever it is. None of them is one that a tool of GitOps takes for
/// its own: see [`TRACKED`].
pub(crate) fn owner_labels(database: DatabaseRef<'_>) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "postgresql"),
        ("app.kubernetes.io/part-of", OPERATOR),
        (MANAGED_BY, OPERATOR),
        (DATABASE_NAMESPACE, database.namespace),
        (DATABASE_NAME, database.name),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// The `Database` that an object stands for, by its labels.
pub(crate) fn stands_for<K: Resource>(object: &K) -> Option<ObjectRef<Database>> {
    let labels = object.meta().labels.as_ref()?;
    Some(ObjectRef::new(labels.get(DATABASE_NAME)?).within(labels.get(DATABASE_NAMESPACE)?))
}

/// Whether an object stands for this `Database`.
pub(crate) fn belongs_to<K: Resource>(object: &K, database: DatabaseRef<'_>) -> bool {
    let label = |key| object.meta().labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    label(MANAGED_BY) == Some(OPERATOR)
        && label(DATABASE_NAMESPACE) == Some(database.namespace)
        && label(DATABASE_NAME) == Some(database.name)
}
