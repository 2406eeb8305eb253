//! What is read of a review. Most of a large one is what nobody here looks at: who owns which field, and what was applied
//! last. It is skipped and not built, so a review never takes much more than its own text.

use std::{borrow::Cow, fmt};

use api::{
    DatabaseRef,
    annotations::{
        ACCEPT_EMPTY, CONFIRM_DESTROY, DEFAULTED, PAUSED, RECOVER_FROM, RETENTION, UPDATE_EXTENSIONS,
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::admission::Operation;
use policy::{
    Problem, metadata,
    quote::{clean, quote},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::hook::Hook;

/// As many mistakes in metadata are told. A message has room for fewer, and a review for many more.
pub(super) const MISTAKES: usize = 32;

/// The longest name, uid or user.
const LONGEST_NAME: usize = 4096;

/// A part of an object as it stands in the body; `None` when it is left out, or null.
pub(super) type Raw<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: Short,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<SentRequest<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentRequest<'a> {
    uid: Short,
    #[serde(borrow)]
    kind: Kind<'a>,
    #[serde(default)]
    name: Short,
    namespace: Option<Short>,
    operation: Operation,
    user_info: User,
    #[serde(borrow)]
    object: Option<Object<'a>>,
    #[serde(borrow)]
    old_object: Option<Object<'a>>,
    #[serde(default)]
    dry_run: bool,
    #[serde(borrow)]
    options: Option<Options<'a>>,
}

/// How the request was asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options<'a> {
    #[serde(borrow)]
    field_manager: Option<Key<'a>>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    group: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct User {
    username: Option<Short>,
}

/// A text that is copied into answer, log or metrics: the API server's own are shorter by far.
#[derive(Default)]
struct Short(String);

impl<'de> Deserialize<'de> for Short {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Key(text) = Key::deserialize(deserializer)?;
        if text.len() > LONGEST_NAME {
            return Err(D::Error::custom(format!(
                "a name has {} bytes, and {LONGEST_NAME} are the most",
                text.len()
            )));
        }
        Ok(Self(text.into_owned()))
    }
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: SentMetadata<'a>,
    #[serde(borrow)]
    spec: Raw<'a>,
    #[serde(borrow)]
    status: Raw<'a>,
    #[serde(borrow)]
    data: Raw<'a>,
    #[serde(borrow, rename = "binaryData")]
    binary_data: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentMetadata<'a> {
    name: Option<String>,
    namespace: Option<String>,
    deletion_timestamp: Option<Time>,
    annotations: Option<Annotations>,
    #[serde(borrow)]
    generate_name: Raw<'a>,
    #[serde(borrow)]
    labels: Raw<'a>,
    #[serde(borrow)]
    finalizers: Raw<'a>,
    #[serde(borrow)]
    owner_references: Raw<'a>,
    #[serde(borrow)]
    uid: Raw<'a>,
    #[serde(borrow)]
    resource_version: Raw<'a>,
    #[serde(borrow)]
    deletion_grace_period_seconds: Raw<'a>,
    #[serde(borrow)]
    managed_fields: Raw<'a>,
}

impl<'a> SentMetadata<'a> {
    fn split(self) -> (Metadata, Parts<'a>) {
        let Self { name, namespace, deletion_timestamp, annotations, .. } = self;
        let parts = Parts {
            generate_name: self.generate_name,
            labels: self.labels,
            finalizers: self.finalizers,
            owner_references: self.owner_references,
            uid: self.uid,
            resource_version: self.resource_version,
            deletion_grace_period_seconds: self.deletion_grace_period_seconds,
            managed_fields: self.managed_fields,
        };
        (Metadata { name, namespace, deletion_timestamp, annotations }, parts)
    }
}

/// What of an object's metadata only the API server looks at, as it stands in the body.
#[derive(Clone, Copy, Default)]
pub(super) struct Parts<'a> {
    pub(super) generate_name: Raw<'a>,
    pub(super) labels: Raw<'a>,
    pub(super) finalizers: Raw<'a>,
    pub(super) owner_references: Raw<'a>,
    pub(super) uid: Raw<'a>,
    pub(super) resource_version: Raw<'a>,
    pub(super) deletion_grace_period_seconds: Raw<'a>,
    pub(super) managed_fields: Raw<'a>,
}

/// What of an object's metadata anyone looks at.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) deletion_timestamp: Option<Time>,
    /// `None` when there are none at all, not even others'.
    pub(super) annotations: Option<Annotations>,
}

impl Metadata {
    /// It is being deleted.
    pub(super) fn is_going(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    pub(super) fn retention(&self) -> Option<&str> {
        self.annotations.as_ref()?.retention.as_deref()
    }

    pub(super) fn confirmation(&self) -> Option<&str> {
        self.annotations.as_ref()?.confirmation.as_deref()
    }

    pub(super) fn defaulted(&self) -> Option<&str> {
        self.annotations.as_ref()?.defaulted.as_deref()
    }

    pub(super) fn accept_empty(&self) -> Option<&str> {
        self.annotations.as_ref()?.accept_empty.as_deref()
    }

    pub(super) fn paused(&self) -> Option<&str> {
        self.annotations.as_ref()?.paused.as_deref()
    }

    pub(super) fn update_extensions(&self) -> Option<&str> {
        self.annotations.as_ref()?.update_extensions.as_deref()
    }

    pub(super) fn recover_from(&self) -> Option<&str> {
        self.annotations.as_ref()?.recover_from.as_deref()
    }
}

/// Our own annotations, among those of others.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    retention: Option<String>,
    confirmation: Option<String>,
    defaulted: Option<String>,
    recover_from: Option<String>,
    accept_empty: Option<String>,
    paused: Option<String>,
    update_extensions: Option<String>,
    /// Of names and values in bytes, without the note of defaults.
    size_of_others: usize,
    /// What is wrong with their names.
    mistakes: Vec<Problem>,
}

impl Annotations {
    /// Of names and values in bytes.
    pub(super) fn size(&self) -> usize {
        let note = self.defaulted.as_ref().map_or(0, |note| DEFAULTED.len() + note.len());
        self.size_of_others + note
    }

    /// Of some of them: a review has room for a lot.
    pub(super) fn mistakes(&self) -> &[Problem] {
        &self.mistakes
    }

    pub(super) fn size_of_others(&self) -> usize {
        self.size_of_others
    }
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OurAnnotations)
    }
}

struct OurAnnotations;

impl<'de> Visitor<'de> for OurAnnotations {
    type Value = Annotations;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
        let mut ours = Annotations::default();
        while let Some(Key(key)) = map.next_key()? {
            if ours.mistakes.len() < MISTAKES {
                ours.mistakes.extend(metadata::annotation(&key));
            }
            let size = match &*key {
                RETENTION => ours.retention.insert(map.next_value()?).len(),
                CONFIRM_DESTROY => ours.confirmation.insert(map.next_value()?).len(),
                RECOVER_FROM => ours.recover_from.insert(map.next_value()?).len(),
                ACCEPT_EMPTY => ours.accept_empty.insert(map.next_value()?).len(),
                PAUSED => ours.paused.insert(map.next_value()?).len(),
                UPDATE_EXTENSIONS => ours.update_extensions.insert(map.next_value()?).len(),
                DEFAULTED => {
                    ours.defaulted = Some(map.next_value()?);
                    continue;
                }
                _ => unquoted(map.next_value::<&RawValue>()?.get()),
            };
            ours.size_of_others += key.len() + size;
        }
        Ok(ours)
    }
}

/// The bytes of a text that stands in quotes, and is escaped.
fn unquoted(text: &str) -> usize {
    if !text.contains('\\') {
        return text.len().saturating_sub(2);
    }
    serde_json::from_str::<Cow<'_, str>>(text).map_or(text.len(), |text| text.len())
}

/// Without a copy, where the body has it as it is.
#[derive(Deserialize)]
pub(super) struct Key<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A request, and who asks it.
#[derive(Debug)]
pub(super) struct Request {
    /// The answer must echo the review's version.
    pub(super) api_version: String,
    pub(super) uid: String,
    pub(super) operation: Operation,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    pub(super) user: String,
    pub(super) dry_run: bool,
    /// There in a CREATE and an UPDATE.
    pub(super) new: Option<Metadata>,
    /// There in an UPDATE and a DELETE.
    pub(super) old: Option<Metadata>,
}

impl Request {
    /// It deletes what isn't being deleted yet: asking again changes nothing.
    pub(super) fn deletes(&self) -> bool {
        self.operation == Operation::Delete && !self.old.as_ref().is_some_and(Metadata::is_going)
    }

    /// For a metric whose labels are a closed set.
    pub(super) fn operation(&self) -> &'static str {
        match &self.operation {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }
}

/// The object that a request is about.
pub(super) struct Target<'a> {
    pub(super) namespace: &'a str,
    /// Empty on creation with `generateName`. A collection delete sends no name with the request, so the
    /// object's own is read.
    pub(super) name: &'a str,
}

impl<'a> Target<'a> {
    /// Where it is one.
    pub(super) fn database(&self) -> DatabaseRef<'a> {
        DatabaseRef::new(self.namespace, self.name)
    }

    pub(super) fn of(request: &'a Request) -> Self {
        let metadata = request.new.as_ref().or(request.old.as_ref());
        let own = metadata.and_then(|metadata| metadata.name.as_deref());
        let own_namespace = metadata.and_then(|metadata| metadata.namespace.as_deref());
        Self {
            namespace: request.namespace.as_deref().or(own_namespace).unwrap_or_default(),
            name: if request.name.is_empty() { own.unwrap_or_default() } else { &request.name },
        }
    }
}

/// A review, with the parts of its objects that each hook reads on its own.
pub(super) struct Sent<'a> {
    pub(super) request: Request,
    pub(super) new_spec: Raw<'a>,
    pub(super) old_spec: Raw<'a>,
    pub(super) old_status: Raw<'a>,
    pub(super) new_data: Raw<'a>,
    pub(super) new_binary_data: Raw<'a>,
    pub(super) new_parts: Parts<'a>,
    pub(super) old_parts: Parts<'a>,
    /// As whom it writes.
    pub(super) field_manager: Option<Cow<'a, str>>,
}

impl<'a> Sent<'a> {
    pub(super) fn read(hook: Hook, body: &'a [u8]) -> Result<Self, String> {
        let review: Review<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if review.kind != "AdmissionReview" {
            return Err(format!("it is a {}, and no AdmissionReview", quote(&review.kind)));
        }
        let request = review.request.ok_or("it holds no request")?;
        let (group, kind) = hook.kind();
        if request.kind.group != group || request.kind.kind != kind {
            let got = &request.kind;
            let (kind_sent, group) = (clean(&got.kind), quote(&got.group));
            return Err(format!("it is about a {kind_sent} of the group {group}, and not a {kind}"));
        }
        let (wants_new, wants_old) = match request.operation {
            Operation::Create => (true, false),
            Operation::Update => (true, true),
            Operation::Delete => (false, true),
            Operation::Connect => return Err(format!("CONNECT is not for a {kind}")),
        };
        let new = request.object.filter(|_| wants_new);
        let old = request.old_object.filter(|_| wants_old);
        if wants_new && new.is_none() {
            return Err("it holds no object".into());
        }
        if wants_old && old.is_none() {
            return Err("it holds no oldObject".into());
        }
        let new_spec = new.as_ref().and_then(|new| new.spec);
        let old_spec = old.as_ref().and_then(|old| old.spec);
        let old_status = old.as_ref().and_then(|old| old.status);
        let new_data = new.as_ref().and_then(|new| new.data);
        let new_binary_data = new.as_ref().and_then(|new| new.binary_data);
        let (new, new_parts) = new.map(|new| new.metadata.split()).unzip();
        let (old, old_parts) = old.map(|old| old.metadata.split()).unzip();
        Ok(Self {
            new_spec,
            old_spec,
            old_status,
            new_data,
            new_binary_data,
            new_parts: new_parts.unwrap_or_default(),
            old_parts: old_parts.unwrap_or_default(),
            field_manager: request.options.and_then(|options| options.field_manager).map(|Key(name)| name),
            request: Request {
                api_version: review.api_version.0,
                uid: request.uid.0,
                operation: request.operation,
                name: request.name.0,
                namespace: request.namespace.map(|namespace| namespace.0),
                user: request.user_info.username.unwrap_or_default().0,
                dry_run: request.dry_run,
                new,
                old,
            },
        })
    }
}
