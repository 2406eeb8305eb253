//! Objects as the caches keep them: each as what its JSON has that another one of its kind hasn't.
//!
//! A pass reads each of them once, and ten thousand databases have a hundred thousand. As a typed object each string is an
//! allocation of its own and each map a tree, and most of it is the same in all of them. kube's own store has the name of each
//! three times over, which is more than what is left of the object.

use std::{marker::PhantomData, sync::Arc};

use kube::{Resource, runtime::watcher::Event};
use lz4_flex::block;
use serde::{Serialize, de::DeserializeOwned};

use super::listed::Listed;

/// Objects of kind `K`, as a watch tells of them.
pub(crate) struct Objects<K> {
    packed: Listed<Packed<K>>,
    /// JSON of one of them.
    sample: Arc<[u8]>,
}

/// An object of kind `K`.
pub(crate) struct Packed<K> {
    /// Its JSON, less what the sample has.
    json: Arc<[u8]>,
    /// JSON of another object.
    sample: Arc<[u8]>,
    kind: PhantomData<fn() -> K>,
}

// Derived, it would ask for a `K` that has a default.
impl<K> Default for Objects<K> {
    fn default() -> Self {
        Self { packed: Listed::default(), sample: Arc::default() }
    }
}

impl<K> Objects<K> {
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&Packed<K>> {
        self.packed.get(namespace, name)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Packed<K>> {
        self.packed.values()
    }
}

impl<K: Resource<DynamicType = ()> + Serialize> Objects<K> {
    /// Takes note, and gives what no list has shown that was there before: it went while nobody watched.
    pub(crate) fn take(&mut self, event: &Event<K>) -> Vec<Packed<K>> {
        match event {
            Event::Init => self.packed.begin(),
            Event::InitApply(object) | Event::Apply(object) => self.insert(object),
            Event::Delete(object) => {
                let (namespace, name) = of(object);
                self.packed.remove(namespace, name);
            }
            Event::InitDone => return self.packed.end().into_iter().map(|(.., object)| object).collect(),
        }
        Vec::new()
    }

    fn insert(&mut self, object: &K) {
        let json = serde_json::to_vec(object).unwrap_or_else(|error| {
            // It came as JSON.
            tracing::error!(kind = %K::kind(&()), name = object.meta().name, %error, "can't be kept");
            Vec::new()
        });
        // One that Azure has answered makes a better sample than a new one. It must be a good deal longer, so that there are
        // few of them.
        if json.len() > self.sample.len() / 4 * 5 {
            self.sample = json.as_slice().into();
        }
        let packed = Packed {
            json: block::compress_prepend_size_with_dict(&json, &self.sample).into(),
            sample: self.sample.clone(),
            kind: PhantomData,
        };
        let (namespace, name) = of(object);
        self.packed.insert(namespace, name, packed);
    }
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned> Packed<K> {
    pub(crate) fn unpack(&self) -> Option<K> {
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(kind = %K::kind(&()), %error, "can't be read from its cache");
        };
        let json = block::decompress_size_prepended_with_dict(&self.json, &self.sample);
        let json = json.inspect_err(|error| failed(error)).ok()?;
        serde_json::from_slice(&json).inspect_err(|error| failed(error)).ok()
    }
}

// Derived, it would ask for a `K` that can be cloned.
impl<K> Clone for Packed<K> {
    fn clone(&self) -> Self {
        let Self { json, sample, kind } = self;
        Self { json: json.clone(), sample: sample.clone(), kind: *kind }
    }
}

/// Its namespace and name.
fn of(object: &impl Resource) -> (&str, &str) {
    let metadata = object.meta();
    (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::compact::*;

    fn config_map(name: &str, data: &Value) -> ConfigMap {
        let metadata =
            json!({"namespace": "orders", "name": name, "labels": {"app.kubernetes.io/part-of": "x"}});
        serde_json::from_value(json!({"metadata": metadata, "data": data})).unwrap()
    }

    fn found(objects: &Objects<ConfigMap>, name: &str) -> Option<ConfigMap> {
        objects.get("orders", name)?.unpack()
    }

    proptest! {
        #[test]
        fn what_is_unpacked_is_what_was_packed(data in prop::collection::vec("\\PC{0,200}", 1..20)) {
            let mut objects = Objects::default();
            let all: Vec<ConfigMap> = data
                .iter()
                .enumerate()
                .map(|(number, text)| config_map(&number.to_string(), &json!({"k": text})))
                .collect();
            for object in &all {
                objects.take(&Event::Apply(object.clone()));
            }
            for (number, object) in all.iter().enumerate() {
                let found = found(&objects, &number.to_string());
                prop_assert_eq!(found.as_ref(), Some(object));
            }
        }
    }

    #[test]
    fn objects_that_are_alike_take_little() {
        let mut objects = Objects::default();
        let answered = json!({"id": "a".repeat(500), "host": "postgres.database.azure.com"});
        for (name, data) in [("first", &json!({})), ("second", &answered), ("third", &answered)] {
            objects.take(&Event::Apply(config_map(name, data)));
        }
        let third = objects.get("orders", "third").unwrap();
        assert!(third.json.len() < 100, "{}", third.json.len());
    }

    fn apply(name: &str, value: &str) -> Event<ConfigMap> {
        Event::Apply(config_map(name, &json!({"k": value})))
    }

    fn listed(name: &str, value: &str) -> Event<ConfigMap> {
        Event::InitApply(config_map(name, &json!({"k": value})))
    }

    #[rstest]
    #[case::of_a_list(vec![Event::Init, listed("a", "1"), listed("b", "1"), Event::InitDone], "a=1 b=1")]
    #[case::that_changed(vec![apply("a", "1"), apply("b", "1"), apply("a", "2")], "a=2 b=1")]
    #[case::that_went(vec![apply("a", "1"), apply("b", "1"), Event::Delete(config_map("a", &json!({})))], "b=1")]
    #[case::that_went_while_nobody_watched(
        vec![apply("a", "1"), apply("b", "1"), Event::Init, listed("b", "2"), Event::InitDone],
        "b=2"
    )]
    #[case::that_a_list_has_not_come_to(vec![apply("a", "1"), apply("b", "1"), Event::Init, listed("b", "2")], "a=1 b=2")]
    #[case::of_a_list_that_began_anew(
        vec![Event::Init, listed("a", "1"), Event::Init, listed("b", "1"), Event::InitDone],
        "b=1"
    )]
    #[case::that_came_after_a_list(vec![Event::Init, Event::InitDone, apply("a", "1")], "a=1")]
    #[case::of_two_lists(
        vec![Event::Init, listed("a", "1"), Event::InitDone, Event::Init, listed("a", "2"), Event::InitDone],
        "a=2"
    )]
    fn what_a_watch_tells_is_kept(#[case] events: Vec<Event<ConfigMap>>, #[case] expected: &str) {
        let mut objects = Objects::default();
        for event in &events {
            objects.take(event);
        }
        let shown =
            |name: &str| found(&objects, name).map(|found| format!("{name}={}", found.data.unwrap()["k"]));
        let kept: Vec<String> = ["a", "b"].into_iter().filter_map(shown).collect();
        assert_eq!(kept.join(" "), expected);
        assert_eq!(objects.all().count(), kept.len());
        assert!(objects.get("payments", "a").is_none(), "of another namespace");
    }
}
