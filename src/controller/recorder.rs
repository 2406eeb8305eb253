//! Writes events, and keeps none.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{self, Event, Reporter},
};

/// Writes each event as one of its own.
#[derive(Clone)]
pub(super) struct Recorder {
    client: Client,
    reporter: Reporter,
}

impl Recorder {
    pub(super) fn new(client: Client) -> Self {
        let reporter = Reporter { controller: "database-operator".into(), instance: None };
        Self { client, reporter }
    }

    pub(super) async fn publish(&self, event: &Event, object: &ObjectReference) -> kube::Result<()> {
        // kube's recorder keeps each event for six minutes, to count its repetitions, and looks through all of them with
        // every new one. Ours tell of changes, and thousands of databases can change at once: it is made anew.
        let recorder = events::Recorder::new(self.client.clone(), self.reporter.clone());
        recorder.publish(event, object).await
    }
}
