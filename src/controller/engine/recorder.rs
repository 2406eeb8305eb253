//! Writes events, and keeps none.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{self, Event, EventType, Reporter},
};

/// The API server takes notes of at most 1024 bytes.
/// <https://github.com/kubernetes/kubernetes/blob/v1.36.2/pkg/apis/core/validation/events.go>
const LONGEST: usize = 1000;

/// Writes each event as one of its own.
#[derive(Clone)]
pub(crate) struct Recorder {
    client: Client,
    reporter: Reporter,
}

impl Recorder {
    pub(crate) fn new(client: Client) -> Self {
        let reporter = Reporter { controller: "database-operator".into(), instance: None };
        Self { client, reporter }
    }

    /// Events are a courtesy: one that can't be written is logged, no more.
    pub(crate) async fn publish(
        &self,
        object: &ObjectReference,
        type_: EventType,
        action: &str,
        reason: &str,
        note: &str,
    ) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note[..note.floor_char_boundary(LONGEST)].to_owned()),
            action: action.to_owned(),
            secondary: None,
        };
        // kube's recorder keeps each event for six minutes, to count its repetitions, and looks through all of them with
        // every new one. Ours tell of changes, and thousands of databases can change at once: it is made anew.
        let recorder = events::Recorder::new(self.client.clone(), self.reporter.clone());
        if let Err(error) = recorder.publish(&event, object).await {
            tracing::debug!(%error, reason, "the event can't be written");
        }
    }
}
