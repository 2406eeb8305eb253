//! Objects as the caches keep them: each as what its JSON has that another one of its kind hasn't.
//!
//! A pass reads each of them once, and ten thousand databases have a hundred thousand. As a typed object each string is an
//! allocation of its own and each map a tree, and most of it is the same in all of them.

use std::{borrow::Cow, marker::PhantomData, sync::Arc};

use kube::{Resource, runtime::reflector::Lookup};
use lz4_flex::block;
use serde::{Serialize, de::DeserializeOwned};

/// An object of kind `K`.
pub(crate) struct Compact<K> {
    name: Box<str>,
    namespace: Option<Box<str>>,
    /// Its JSON, less what the sample has.
    packed: Box<[u8]>,
    /// JSON of another object.
    sample: Arc<[u8]>,
    kind: PhantomData<fn() -> K>,
}

/// Makes them.
#[derive(Default)]
pub(crate) struct Packer {
    sample: Arc<[u8]>,
}

impl Packer {
    pub(crate) fn pack<K: Resource<DynamicType = ()> + Serialize>(&mut self, object: &K) -> Compact<K> {
        let metadata = object.meta();
        let json = serde_json::to_vec(object).unwrap_or_else(|error| {
            // It came as JSON.
            tracing::error!(kind = %K::kind(&()), name = metadata.name, %error, "can't be kept");
            Vec::new()
        });
        // One that Azure has answered makes a better sample than a new one. It must be a good deal longer, so that there are
        // few of them.
        if json.len() > self.sample.len() / 4 * 5 {
            self.sample = json.as_slice().into();
        }
        Compact {
            name: metadata.name.as_deref().unwrap_or_default().into(),
            namespace: metadata.namespace.as_deref().map(Into::into),
            packed: block::compress_prepend_size_with_dict(&json, &self.sample).into(),
            sample: self.sample.clone(),
            kind: PhantomData,
        }
    }
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned> Compact<K> {
    pub(crate) fn unpack(&self) -> Option<K> {
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(kind = %K::kind(&()), name = %self.name, %error, "can't be read from its cache");
        };
        let json = block::decompress_size_prepended_with_dict(&self.packed, &self.sample);
        let json = json.inspect_err(|error| failed(error)).ok()?;
        serde_json::from_slice(&json).inspect_err(|error| failed(error)).ok()
    }
}

// Derived, it would ask for a `K` that can be cloned.
impl<K> Clone for Compact<K> {
    fn clone(&self) -> Self {
        let Self { name, namespace, packed, sample, kind } = self;
        Self {
            name: name.clone(),
            namespace: namespace.clone(),
            packed: packed.clone(),
            sample: sample.clone(),
            kind: *kind,
        }
    }
}

impl<K: Resource<DynamicType = ()>> Lookup for Compact<K> {
    type DynamicType = ();

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

    fn name(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.name))
    }

    fn namespace(&self) -> Option<Cow<'_, str>> {
        self.namespace.as_deref().map(Cow::Borrowed)
    }

    // The object itself tells.
    fn resource_version(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn uid(&self) -> Option<Cow<'_, str>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::compact::*;

    proptest! {
        #[test]
        fn what_is_unpacked_is_what_was_packed(data in prop::collection::vec("\\PC{0,200}", 1..20)) {
            let mut packer = Packer::default();
            let objects: Vec<ConfigMap> = data
                .into_iter()
                .map(|text| {
                    let metadata = json!({"name": "a", "namespace": "b", "labels": {"k": text}});
                    serde_json::from_value(json!({"metadata": metadata, "data": {"k": text}})).unwrap()
                })
                .collect();
            let packed: Vec<_> = objects.iter().map(|object| packer.pack(object)).collect();
            for (object, packed) in objects.iter().zip(&packed) {
                prop_assert!(packed.unpack().is_some_and(|unpacked| unpacked == *object));
            }
        }
    }

    #[test]
    fn objects_that_are_alike_take_little() {
        let mut packer = Packer::default();
        let object = |name: &str, answer: serde_json::Value| -> ConfigMap {
            serde_json::from_value(json!({
                "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "database-operator"}},
                "data": answer,
            }))
            .unwrap()
        };
        packer.pack(&object("first", json!({})));
        let answered = json!({"id": "a".repeat(500), "host": "postgres.database.azure.com"});
        packer.pack(&object("second", answered.clone()));
        let third = packer.pack(&object("third", answered));
        assert!(third.packed.len() < 100, "{}", third.packed.len());
    }
}
