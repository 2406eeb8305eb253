//! What the API server would find invalid in the metadata of a `Database`. It looks only after the mutating hook, and answers
//! 422, to which tools answer by deleting the object. So the mutating hook looks first.

use std::borrow::Cow;

use policy::{
    Problem,
    metadata::{self, Owner},
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    sent::{Key, MISTAKES, Metadata, Parts, Raw, Sent},
    spec::Each,
};

/// What a request would be answered with 422 for.
pub(super) fn mistakes(sent: &Sent<'_>) -> Vec<Problem> {
    let mut mistakes = Mistakes::default();
    let Some(new) = &sent.request.new else { return Vec::new() };
    let parts = &sent.new_parts;
    match &sent.request.old {
        None => mistakes.judge_names(new.name.as_deref(), parts.generate_name),
        Some(old) => mistakes.judge_change(new, old, sent),
    }
    mistakes.judge(new, parts);
    // Whatever let them in lets them stay, and nobody must mend them to remove a finalizer.
    if let Some(old) = sent.request.old.as_ref().filter(|_| !mistakes.0.is_empty()) {
        let mut stored = Mistakes::default();
        stored.judge(old, &sent.old_parts);
        mistakes.0.retain(|problem| !stored.0.contains(problem));
    }
    mistakes.0
}

/// The first of them.
#[derive(Debug, Default)]
struct Mistakes(Vec<Problem>);

impl Mistakes {
    fn judge(&mut self, metadata: &Metadata, parts: &Parts<'_>) {
        self.judge_labels(parts.labels);
        if let Some(annotations) = &metadata.annotations {
            self.add(annotations.mistakes().iter().cloned());
            self.add(metadata::annotations(annotations.size()));
        }
        self.judge_finalizers(parts.finalizers);
        self.judge_owners(parts.owner_references);
    }

    /// What an object that was exported brings along. What is left out, the API server fills in before it asks.
    fn judge_change(&mut self, new: &Metadata, old: &Metadata, sent: &Sent<'_>) {
        let (new_parts, old_parts) = (&sent.new_parts, &sent.old_parts);
        let differs = |part: fn(&Parts<'_>) -> Option<String>| {
            part(new_parts).is_some_and(|new| !new.is_empty() && part(old_parts) != Some(new))
        };
        let is_late = new.is_going() && !old.is_going();
        let fields = [
            ("uid", differs(|parts| parts.uid.and_then(text).map(Cow::into_owned))),
            // With force a conflict is a reason to delete, too. Whoever else names a version wants to be told of one.
            (
                "resourceVersion",
                differs(|parts| parts.resource_version.and_then(text).map(Cow::into_owned))
                    && is_applied(sent),
            ),
            ("deletionTimestamp", is_late),
            (
                "deletionGracePeriodSeconds",
                differs(|parts| parts.deletion_grace_period_seconds.map(|sent| sent.get().to_owned())),
            ),
        ];
        self.add(
            fields
                .into_iter()
                .filter(|(_, differs)| *differs)
                .map(|(field, _)| metadata::of_the_api_server(field)),
        );
        let prefix = new_parts.generate_name.and_then(text);
        self.add(prefix.as_deref().and_then(metadata::late_generate_name));
    }

    fn add(&mut self, found: impl IntoIterator<Item = Problem>) {
        self.0.extend(found.into_iter().take(MISTAKES - self.0.len()));
    }

    /// Later they can't be others.
    fn judge_names(&mut self, name: Option<&str>, generate_name: Raw<'_>) {
        let prefix = generate_name.and_then(text).filter(|prefix| !prefix.is_empty());
        // The name isn't generated yet.
        let is_to_come = prefix.is_some() && name.is_none_or(str::is_empty);
        let of_prefix = prefix.as_deref().and_then(metadata::generate_name);
        let of_name = || metadata::name(name.unwrap_or_default()).filter(|_| !is_to_come);
        self.add(of_prefix.or_else(of_name));
    }

    fn judge_labels(&mut self, labels: Raw<'_>) {
        entries(labels, |key, value| {
            if let Some(value) = text(value) {
                self.add(metadata::label(&key, &value));
            }
        });
    }

    fn judge_finalizers(&mut self, finalizers: Raw<'_>) {
        let mut opposites = [false; 2];
        items(finalizers, |finalizer| {
            let Some(finalizer) = text(finalizer) else { return };
            self.add(metadata::finalizer(&finalizer));
            if let Some(which) = metadata::opposite(&finalizer) {
                opposites[which] = true;
            }
        });
        if opposites == [true; 2] {
            self.add([metadata::opposites()]);
        }
    }

    fn judge_owners(&mut self, owners: Raw<'_>) {
        let mut controllers = 0_usize;
        items(owners, |owner| {
            let Ok(owner) = serde_json::from_str::<SentOwner<'_>>(owner.get()) else { return };
            self.add(metadata::owner(&owner.read()));
            controllers += usize::from(owner.controller == Some(true));
        });
        if controllers > 1 {
            self.add([metadata::controllers()]);
        }
    }
}

/// As whom `kubectl apply` writes, unless it applies server-side.
const KUBECTL: &str = "kubectl-client-side-apply";

/// Whether a manifest is applied, as far as a review tells: its manager is one that does so.
fn is_applied(sent: &Sent<'_>) -> bool {
    let Some(manager) = &sent.field_manager else { return false };
    let mut is_applied = manager == KUBECTL;
    items(sent.new_parts.managed_fields, |entry| {
        if let Ok(entry) = serde_json::from_str::<SentManager<'_>>(entry.get()) {
            let SentManager { manager: Key(name), operation: Key(operation) } = entry;
            is_applied |= name == *manager && operation == "Apply";
        }
    });
    is_applied
}

#[derive(Deserialize)]
struct SentManager<'a> {
    #[serde(borrow)]
    manager: Key<'a>,
    #[serde(borrow)]
    operation: Key<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentOwner<'a> {
    #[serde(borrow)]
    api_version: Option<Key<'a>>,
    #[serde(borrow)]
    kind: Option<Key<'a>>,
    #[serde(borrow)]
    name: Option<Key<'a>>,
    #[serde(borrow)]
    uid: Option<Key<'a>>,
    controller: Option<bool>,
}

impl SentOwner<'_> {
    fn read(&self) -> Owner<'_> {
        fn text<'a>(sent: Option<&'a Key<'_>>) -> &'a str {
            sent.map_or("", |Key(text)| text)
        }
        Owner {
            api_version: text(self.api_version.as_ref()),
            kind: text(self.kind.as_ref()),
            name: text(self.name.as_ref()),
            uid: text(self.uid.as_ref()),
        }
    }
}

/// Goes through the entries of a map. What isn't one the API server has refused before it asks.
fn entries<'a>(sent: Raw<'a>, found: impl FnMut(Cow<'a, str>, &'a RawValue)) {
    if let Some(sent) = sent {
        let _ = serde_json::Deserializer::from_str(sent.get()).deserialize_map(Each(found));
    }
}

/// Goes through the items of a list.
fn items<'a>(sent: Raw<'a>, mut found: impl FnMut(&'a RawValue)) {
    if let Some(sent) = sent {
        let _ = serde_json::Deserializer::from_str(sent.get()).deserialize_seq(Each(|_, item| found(item)));
    }
}

/// A text; what is null counts as an empty one.
fn text(sent: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Option<Key<'_>>>(sent.get())
        .ok()
        .map(|text| text.map_or_else(Cow::default, |Key(text)| text))
}
