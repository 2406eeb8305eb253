//! A watch that goes on when one of its objects can't be read, as after a change of the CRD by hand.

use std::collections::HashSet;

use futures::{Stream, StreamExt, future};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, core::DeserializeGuard, runtime::watcher};
use prometheus_client::metrics::gauge::Gauge;

/// Which objects can't be read; each is reported once, and the gauge says how many there are.
pub(crate) struct Unreadable<F> {
    names: HashSet<(String, String)>,
    gauge: Gauge,
    report: F,
}

impl<F: Fn(&ObjectMeta, &str)> Unreadable<F> {
    pub(crate) fn new(gauge: Gauge, report: F) -> Self {
        Self { names: HashSet::new(), gauge, report }
    }

    fn note(&mut self, metadata: &ObjectMeta, error: Option<&str>) {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let name = (part(&metadata.namespace), part(&metadata.name));
        match error {
            None => drop(self.names.remove(&name)),
            Some(error) => {
                if self.names.insert(name) {
                    (self.report)(metadata, error);
                }
            }
        }
        self.gauge.set(i64::try_from(self.names.len()).unwrap_or(i64::MAX));
    }
}

/// The events of the objects that can be read. One that can't be read any more stays as it was known last.
pub(crate) fn readable<K, F>(
    events: impl Stream<Item = watcher::Result<watcher::Event<DeserializeGuard<K>>>>,
    mut unreadable: Unreadable<F>,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>>
where
    K: Resource + Default,
    F: Fn(&ObjectMeta, &str),
{
    events.filter_map(move |event| {
        let mut read = |object: DeserializeGuard<K>, wrap: fn(K) -> watcher::Event<K>| match object.0 {
            Ok(object) => {
                unreadable.note(object.meta(), None);
                Some(Ok(wrap(object)))
            }
            Err(broken) => {
                unreadable.note(&broken.metadata, Some(&broken.error));
                None
            }
        };
        future::ready(match event {
            Ok(watcher::Event::Apply(object)) => read(object, watcher::Event::Apply),
            Ok(watcher::Event::InitApply(object)) => read(object, watcher::Event::InitApply),
            Ok(watcher::Event::Delete(object)) => {
                // Whatever it was, it is gone: nothing but its name counts.
                let object = object.0.unwrap_or_else(|broken| {
                    let mut object = K::default();
                    *object.meta_mut() = broken.metadata;
                    object
                });
                unreadable.note(object.meta(), None);
                Some(Ok(watcher::Event::Delete(object)))
            }
            Ok(watcher::Event::Init) => Some(Ok(watcher::Event::Init)),
            Ok(watcher::Event::InitDone) => Some(Ok(watcher::Event::InitDone)),
            Err(error) => Some(Err(error)),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use api::Database;
    use futures::stream;
    use serde_json::json;

    use crate::cluster::readable::*;

    fn object(name: &str, sku: &serde_json::Value) -> DeserializeGuard<Database> {
        serde_json::from_value(json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database",
            "metadata": {"namespace": "orders", "name": name}, "spec": {"sku": sku},
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn one_that_can_not_be_read_is_told_of_once_and_the_others_go_on() {
        use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};

        let (broken, fine) = (json!({"a": 1}), json!("Standard_B1ms"));
        let events = vec![
            Init,
            InitApply(object("broken", &broken)),
            InitApply(object("fine", &fine)),
            InitDone,
            Apply(object("broken", &broken)),
            Apply(object("other", &broken)),
            Apply(object("other", &fine)),
            Delete(object("broken", &broken)),
            Apply(object("last", &broken)),
        ];
        let reported = Arc::new(Mutex::new(Vec::new()));
        let (gauge, notes) = (Gauge::default(), reported.clone());
        let unreadable = Unreadable::new(gauge.clone(), move |metadata, error| {
            assert!(error.contains("Expected a string"), "{error}");
            notes.lock().unwrap().push(metadata.name.clone().unwrap());
        });
        let read: Vec<String> = readable(stream::iter(events.into_iter().map(Ok)), unreadable)
            .map(|event| match event.unwrap() {
                Init => "init".to_owned(),
                InitDone => "done".to_owned(),
                InitApply(object) | Apply(object) => object.metadata.name.unwrap(),
                Delete(object) => format!("-{}", object.metadata.name.unwrap()),
            })
            .collect()
            .await;
        assert_eq!(read, ["init", "fine", "done", "other", "-broken"]);
        assert_eq!(*reported.lock().unwrap(), ["broken", "other", "last"]);
        assert_eq!(gauge.get(), 1);
    }
}
