//! What is kept of Secrets and ServiceAccounts: anybody may write them in a namespace of their own, in any number and size,
//! so of each there is a note of a few bytes, made while it is read. The rest of it never is in memory.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    marker::PhantomData,
    sync::{Arc, PoisonError, RwLock},
};

use api::Database;
use k8s_openapi::{ByteString, NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Resource, ResourceExt,
    runtime::{reflector::ObjectRef, watcher},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::binding;
use crate::{
    controller::engine::listed::Listed,
    labels::{DATABASE_NAME, DATABASE_NAMESPACE, MANAGED_BY, OPERATOR, TRACKED},
};

/// As many owners of an object are noted: it has one.
const OWNERS: usize = 4;
/// The longest text that is noted, in bytes. Names and uids of Kubernetes are shorter, and so are ids of Azure.
const LONGEST: usize = 253;

/// A note of an object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Note {
    /// Its resourceVersion.
    pub(crate) version: Box<str>,
    pub(crate) is_going: bool,
    /// Name and uid of each `Database` that owns it.
    owners: Box<[(Box<str>, Box<str>)]>,
    labels: Fingerprint,
    /// The client id with which it logs in to Azure.
    pub(crate) client_id: Option<Box<str>>,
    /// Whether the operator has written that, and nobody else since.
    pub(crate) is_client_id_ours: bool,
    data: Fingerprint,
    password: Option<Fingerprint>,
}

/// Of texts that are compared and never shown. Who makes two with the same one deceives nobody but himself: both are in a
/// namespace of his own.
type Fingerprint = u64;

impl Note {
    /// Whether an object belongs to this `Database`. Labels are copied by many a tool; an owner is known by its uid.
    pub(crate) fn is_owned_by(&self, database: &Database) -> bool {
        self.owners.iter().any(|(_, uid)| Some(&**uid) == database.metadata.uid.as_deref())
    }

    /// Whether its owner is a `Database` of the same name that was there before: Kubernetes removes such an object.
    pub(crate) fn is_left_over_from(&self, database: &Database) -> bool {
        !self.is_owned_by(database)
            && self.owners.iter().any(|(name, _)| Some(&**name) == database.metadata.name.as_deref())
    }

    /// Names of the databases that own it.
    pub(crate) fn owners(&self) -> impl Iterator<Item = &str> {
        self.owners.iter().map(|(name, _)| &**name)
    }

    /// Whether it has these labels.
    pub(crate) fn has_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels == Labels::of(labels).fingerprint()
    }

    /// Whether it holds these data and no others.
    pub(crate) fn holds(&self, data: &BTreeMap<String, ByteString>) -> bool {
        self.data == Data::of(data).all
    }

    /// Whether it holds another password than these data do.
    pub(crate) fn has_another_password(&self, data: &BTreeMap<String, ByteString>) -> bool {
        self.password.zip(Data::of(data).password).is_some_and(|(held, wanted)| held != wanted)
    }
}

/// An object as it comes from the API server, less all that nobody looks at.
pub(crate) struct Seen<K> {
    metadata: ObjectMeta,
    pub(crate) note: Note,
    kind: PhantomData<fn() -> K>,
}

// Derived, it would ask for a `K` that can be cloned.
impl<K> Clone for Seen<K> {
    fn clone(&self) -> Self {
        let Self { metadata, note, kind } = self;
        Self { metadata: metadata.clone(), note: note.clone(), kind: *kind }
    }
}

impl<K> fmt::Debug for Seen<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").field("name", &self.metadata.name).finish_non_exhaustive()
    }
}

impl<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>> Resource for Seen<K> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<'de, K> Deserialize<'de> for Seen<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object { metadata, data } = Object::deserialize(deserializer)?;
        let Data { all, password, .. } = data.unwrap_or_default();
        let note = Note {
            version: metadata.resource_version.clone().unwrap_or_default().into(),
            is_going: metadata.deletion_timestamp.is_some(),
            owners: metadata.owner_references.unwrap_or_default().0.into(),
            labels: metadata.labels.unwrap_or_default().fingerprint(),
            client_id: metadata.annotations.unwrap_or_default().client_id.map(|id| id.0),
            is_client_id_ours: metadata.managed_fields.unwrap_or_default().0,
            data: all,
            password,
        };
        let metadata = ObjectMeta {
            name: metadata.name,
            namespace: metadata.namespace,
            resource_version: metadata.resource_version,
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, note, kind: PhantomData })
    }
}

/// What is read of an object.
#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: Metadata,
    data: Option<Data>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
    deletion_timestamp: Option<IgnoredAny>,
    labels: Option<Labels>,
    annotations: Option<Annotations>,
    owner_references: Option<Owners>,
    managed_fields: Option<WroteClientId>,
}

/// The labels that are ours, or were.
#[derive(Default, Deserialize, Hash)]
struct Labels {
    #[serde(rename = "app.kubernetes.io/name")]
    name: Option<String>,
    #[serde(rename = "app.kubernetes.io/instance")]
    instance: Option<String>,
    #[serde(rename = "app.kubernetes.io/part-of")]
    part_of: Option<String>,
    #[serde(rename = "app.kubernetes.io/managed-by")]
    managed_by: Option<String>,
    #[serde(rename = "altinn.app/database-namespace")]
    database_namespace: Option<String>,
    #[serde(rename = "altinn.app/database-name")]
    database_name: Option<String>,
}

impl Labels {
    fn of(labels: &BTreeMap<String, String>) -> Self {
        let value = |key: &str| labels.get(key).cloned();
        Self {
            name: value("app.kubernetes.io/name"),
            instance: value(TRACKED),
            part_of: value("app.kubernetes.io/part-of"),
            managed_by: value(MANAGED_BY),
            database_namespace: value(DATABASE_NAMESPACE),
            database_name: value(DATABASE_NAME),
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        fingerprint(self)
    }
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(rename = "azure.workload.identity/client-id")]
    client_id: Option<Short>,
}

/// A text, cut to what is noted at the most.
#[derive(Debug, Default)]
struct Short(Box<str>);

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Short;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Short, E> {
                if text.len() <= LONGEST {
                    return Ok(Short(text.into()));
                }
                let end = (0..LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
                Ok(Short(format!("{}…", &text[..end]).into()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Name and uid of each `Database` among the owners.
#[derive(Default)]
struct Owners(Vec<(Box<str>, Box<str>)>);

impl<'de> Deserialize<'de> for Owners {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Owner {
            #[serde(default)]
            api_version: Short,
            #[serde(default)]
            kind: Short,
            #[serde(default)]
            name: Short,
            #[serde(default)]
            uid: Short,
        }
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Owners;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("owners")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Owners, A::Error> {
                let mut owners = Vec::new();
                while let Some(Owner { api_version, kind, name, uid }) = list.next_element()? {
                    let group = api_version.0.split('/').next();
                    let is_database = group == Some(api::GROUP) && *kind.0 == *Database::kind(&());
                    if is_database && owners.len() < OWNERS {
                        owners.push((name.0, uid.0));
                    }
                }
                Ok(Owners(owners))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Whether the operator has written the client id, by what the API server notes of who wrote which field.
#[derive(Clone, Copy, Default)]
struct WroteClientId(bool);

impl<'de> Deserialize<'de> for WroteClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Entry {
            #[serde(default)]
            manager: Short,
            #[serde(rename = "fieldsV1")]
            fields: Option<Fields>,
        }
        #[derive(Deserialize)]
        struct Fields {
            #[serde(rename = "f:metadata")]
            metadata: Option<OfMetadata>,
        }
        #[derive(Deserialize)]
        struct OfMetadata {
            #[serde(rename = "f:annotations")]
            annotations: Option<OfAnnotations>,
        }
        #[derive(Deserialize)]
        struct OfAnnotations {
            #[serde(rename = "f:azure.workload.identity/client-id")]
            client_id: Option<IgnoredAny>,
        }
        impl Entry {
            fn has_client_id(self) -> bool {
                let metadata = self.fields.and_then(|fields| fields.metadata);
                let annotations = metadata.and_then(|metadata| metadata.annotations);
                annotations.is_some_and(|annotations| annotations.client_id.is_some())
            }
        }
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = WroteClientId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("who wrote which field")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<WroteClientId, A::Error> {
                let mut is_ours = false;
                while let Some(entry) = list.next_element::<Entry>()? {
                    is_ours |= *entry.manager.0 == *OPERATOR && entry.has_client_id();
                }
                Ok(WroteClientId(is_ours))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Fingerprints of what a Secret holds, in whichever order.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Data {
    all: Fingerprint,
    password: Option<Fingerprint>,
}

impl Data {
    fn of(data: &BTreeMap<String, ByteString>) -> Self {
        let mut all = Self::default();
        for (key, value) in data {
            // As it stands in JSON.
            if let Ok(serde_json::Value::String(text)) = serde_json::to_value(value) {
                all.add(key, Value::of(&text));
            }
        }
        all
    }

    fn add(&mut self, key: &str, value: Value) {
        self.all = self.all.wrapping_add(fingerprint(&(key, value.0)));
        if key == "password" {
            self.password = Some(value.0);
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Data;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the data of a Secret")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
                let mut all = Data::default();
                while let Some((key, value)) = map.next_entry::<Short, Value>()? {
                    all.add(&key.0, value);
                }
                Ok(all)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// The fingerprint of a text.
#[derive(Clone, Copy)]
struct Value(Fingerprint);

impl Value {
    fn of(text: &str) -> Self {
        Self(fingerprint(text))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::of(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

fn fingerprint(of: &(impl Hash + ?Sized)) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Notes of all objects of a kind that matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<RwLock<Listed<Note>>>);

impl Notes {
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Note> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(namespace, name).cloned()
    }
}

/// Something that became of an object: its namespace and name, and the note that there is, or was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Change {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) note: Note,
    pub(crate) is_there: bool,
}

/// Takes down what a watch tells, and says what has changed by it.
pub(crate) struct Taker {
    notes: Notes,
    /// Whether a name matters. Nothing is kept of the others.
    matters: fn(&str) -> bool,
    /// Whether the first list is complete. It tells of no change: everything is looked at then anyway.
    is_complete: bool,
}

impl Taker {
    pub(crate) fn new(notes: Notes, matters: fn(&str) -> bool) -> Self {
        Self { notes, matters, is_complete: false }
    }

    pub(crate) fn take<K>(&mut self, event: &watcher::Event<Seen<K>>) -> Vec<Change>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        let mut notes = self.notes.0.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            watcher::Event::Init => {
                notes.begin();
                Vec::new()
            }
            watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                if !(self.matters)(&name) {
                    return Vec::new();
                }
                let note = object.note.clone();
                let before = notes.insert(&namespace, &name, note.clone());
                let is_news = self.is_complete && before.as_ref() != Some(&note);
                is_news.then_some(Change { namespace, name, note, is_there: true }).into_iter().collect()
            }
            watcher::Event::Delete(object) => {
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                let gone = notes.remove(&namespace, &name);
                gone.map(|note| Change { namespace, name, note, is_there: false }).into_iter().collect()
            }
            watcher::Event::InitDone => {
                self.is_complete = true;
                let gone = notes.end().into_iter();
                gone.map(|(namespace, name, note)| Change { namespace, name, note, is_there: false })
                    .collect()
            }
        }
    }
}

/// Whether a Secret of this name may be one that an app reads.
pub(crate) fn is_binding(name: &str) -> bool {
    binding::database_of(name).is_some()
}

/// The `Database` whose Secret has this name.
pub(crate) fn of_secret(namespace: &str, name: &str) -> Option<ObjectRef<Database>> {
    Some(ObjectRef::new(binding::database_of(name)?).within(namespace))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
    use rstest::rstest;
    use serde_json::json;
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};

    use super::super::notes::*;

    fn secret(name: &str, more: &serde_json::Value) -> Seen<Secret> {
        let mut object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": "orders", "resourceVersion": "7"},
        });
        for (key, value) in more.as_object().unwrap() {
            match object[key].as_object_mut() {
                Some(old) => old.extend(value.as_object().unwrap().clone()),
                None => object[key] = value.clone(),
            }
        }
        serde_json::from_value(object).unwrap()
    }

    fn database(uid: &str) -> Database {
        serde_json::from_value(json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "spec": {},
            "metadata": {"name": "main", "namespace": "orders", "uid": uid},
        }))
        .unwrap()
    }

    fn data(entries: &[(&str, &str)]) -> BTreeMap<String, ByteString> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), ByteString((*value).into()))).collect()
    }

    #[test]
    fn a_secret_that_holds_something_else_is_told_from_one_that_does_not() {
        let held = data(&[("host", "h"), ("password", "p")]);
        let note = secret("main-db-credentials", &json!({"data": held})).note;
        assert!(note.holds(&held) && !note.has_another_password(&held));
        for other in [
            data(&[("host", "x"), ("password", "p")]),
            data(&[("host", "p"), ("password", "h")]),
            data(&[("host", "h")]),
            data(&[("host", "h"), ("password", "p"), ("more", "")]),
            data(&[]),
        ] {
            assert!(!note.holds(&other), "{other:?}");
        }
        assert!(note.has_another_password(&data(&[("password", "q")])));
        assert!(!note.has_another_password(&data(&[("host", "h")])));
        assert!(secret("a", &json!({})).note.holds(&data(&[])));
        assert!(secret("a", &json!({"data": null})).note.holds(&data(&[])));
    }

    #[rstest]
    #[case::ours(json!([{"apiVersion": "altinn.app/v1alpha1", "kind": "Database", "name": "main", "uid": "u"}]), (true, false))]
    #[case::a_later_version_of_the_api(json!([{"apiVersion": "altinn.app/v1", "kind": "Database", "name": "main", "uid": "u"}]), (true, false))]
    #[case::of_the_one_before(json!([{"apiVersion": "altinn.app/v1alpha1", "kind": "Database", "name": "main", "uid": "v"}]), (false, true))]
    #[case::of_another(json!([{"apiVersion": "altinn.app/v1alpha1", "kind": "Database", "name": "other", "uid": "v"}]), (false, false))]
    #[case::of_another_group(json!([{"apiVersion": "example.com/v1", "kind": "Database", "name": "main", "uid": "u"}]), (false, false))]
    #[case::of_another_kind(json!([{"apiVersion": "altinn.app/v1alpha1", "kind": "RetainedDatabase", "name": "main", "uid": "u"}]), (false, false))]
    #[case::without(json!(null), (false, false))]
    fn an_owner_is_known_by_its_uid_and_not_by_labels(
        #[case] owners: serde_json::Value,
        #[case] expected: (bool, bool),
    ) {
        let labels = crate::labels::owner_labels(api::DatabaseRef::new("orders", "main"));
        let note = secret("a", &json!({"metadata": {"labels": labels, "ownerReferences": owners}})).note;
        assert!(note.has_labels(&labels));
        let database = database("u");
        assert_eq!((note.is_owned_by(&database), note.is_left_over_from(&database)), expected);
    }

    #[test]
    fn labels_that_are_ours_or_were_count_and_others_do_not() {
        let mut labels = crate::labels::owner_labels(api::DatabaseRef::new("orders", "main"));
        let with = |labels: &BTreeMap<String, String>| secret("a", &json!({"metadata": {"labels": labels}}));
        let wanted = labels.clone();
        labels.insert("team".to_owned(), "orders".to_owned());
        assert!(with(&labels).note.has_labels(&wanted));
        labels.insert(crate::labels::TRACKED.to_owned(), "main".to_owned());
        assert!(!with(&labels).note.has_labels(&wanted), "what was written once is to go");
        assert!(
            !with(&crate::labels::owner_labels(api::DatabaseRef::new("orders", "other")))
                .note
                .has_labels(&wanted)
        );
    }

    #[rstest]
    #[case::ours(json!([{"manager": "database-operator", "fieldsV1": {"f:metadata": {"f:annotations": {".": {}, "f:azure.workload.identity/client-id": {}}}}}]), true)]
    #[case::of_others(json!([{"manager": "kustomize-controller", "fieldsV1": {"f:metadata": {"f:annotations": {"f:azure.workload.identity/client-id": {}}}}}]), false)]
    #[case::we_wrote_something_else(json!([{"manager": "database-operator", "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}}}]), false)]
    #[case::not_told(json!(null), false)]
    fn who_wrote_the_client_id_is_known(#[case] managed: serde_json::Value, #[case] is_ours: bool) {
        let account: Seen<ServiceAccount> = serde_json::from_value(json!({"metadata": {
            "name": "api", "namespace": "orders", "managedFields": managed,
            "annotations": {"azure.workload.identity/client-id": "c", "other": "x".repeat(300)},
        }}))
        .unwrap();
        assert_eq!(account.note.client_id.as_deref(), Some("c"));
        assert_eq!(account.note.is_client_id_ours, is_ours);
    }

    /// Whoever has `edit` in a namespace can write all of this.
    #[test]
    fn a_note_is_small_whatever_the_object_holds() {
        let long = "ä".repeat(100_000);
        let owner =
            json!({"apiVersion": "altinn.app/v1alpha1", "kind": "Database", "name": long, "uid": long});
        let object = json!({
            "metadata": {
                "labels": {"app.kubernetes.io/managed-by": long}, "ownerReferences": vec![owner; 100],
                "annotations": {"azure.workload.identity/client-id": long}, "finalizers": [long],
            },
            "data": {"a": long, "password": long, long.as_str(): "a"},
        });
        let note = secret("main-db-credentials", &object).note;
        let owners: usize = note.owners.iter().map(|(name, uid)| name.len() + uid.len()).sum();
        let bytes = size_of::<Note>() + owners + note.version.len() + note.client_id.unwrap().len();
        assert!(bytes < 4000, "{bytes}");
    }

    #[test]
    fn only_what_changes_after_the_first_list_is_told_and_what_a_later_list_lacks_is_gone() {
        let notes = Notes::default();
        let mut taker = Taker::new(notes.clone(), is_binding);
        let (main, version) =
            ("main-db-credentials", |version: &str| json!({"metadata": {"resourceVersion": version}}));
        let mut told = |event: watcher::Event<Seen<Secret>>| -> Vec<(String, bool)> {
            taker.take(&event).into_iter().map(|change| (change.name, change.is_there)).collect()
        };
        let one = |name: &str, is_there| vec![(name.to_owned(), is_there)];
        assert_eq!(told(Init), []);
        assert_eq!(told(InitApply(secret(main, &json!({})))), []);
        assert_eq!(told(InitApply(secret("b-db-credentials", &json!({})))), []);
        assert_eq!(told(InitApply(secret("something", &json!({})))), []);
        assert_eq!(told(InitDone), []);
        assert!(notes.get("orders", main).is_some() && notes.get("orders", "something").is_none());
        assert_eq!(told(Apply(secret(main, &version("8")))), one(main, true));
        assert_eq!(told(Apply(secret(main, &version("8")))), [], "nothing new");
        assert_eq!(told(Apply(secret("something", &version("8")))), []);
        assert_eq!(told(Delete(secret("something", &json!({})))), []);
        // The watch was interrupted.
        assert_eq!(told(Init), []);
        assert_eq!(told(InitApply(secret(main, &version("9")))), one(main, true));
        assert_eq!(told(InitDone), one("b-db-credentials", false));
        assert_eq!(told(Delete(secret(main, &version("9")))), one(main, false));
        assert!(notes.get("orders", main).is_none());
    }

    #[test]
    fn the_name_of_a_secret_tells_whose_it_is() {
        let database = of_secret("orders", &binding::secret_name("main")).unwrap();
        assert_eq!((database.name.as_str(), database.namespace.as_deref()), ("main", Some("orders")));
        assert!(of_secret("orders", "main").is_none() && of_secret("orders", "-db-credentials").is_none());
    }
}
