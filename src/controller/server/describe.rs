//! A server as the loops see it. They name no kind of Azure Service Operator, and ask this.

use api::{DatabaseRef, ServerStatus, reason::Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt};

use crate::{
    azure::{
        self, FlexibleServer,
        adoption::{self, Here},
        condition::{self, Progress},
        states,
    },
    labels::{DATABASE_NAME, DATABASE_NAMESPACE, belongs_to},
};

/// The object of a server, with what Azure answered last.
#[derive(Clone, Debug)]
pub(crate) struct Server(FlexibleServer);

impl From<FlexibleServer> for Server {
    fn from(object: FlexibleServer) -> Self {
        Self(object)
    }
}

impl Server {
    /// For the verbs alone.
    pub(super) fn object(&self) -> &FlexibleServer {
        &self.0
    }

    pub(crate) fn name(&self) -> String {
        self.0.name_any()
    }

    /// Of the object.
    pub(crate) fn uid(&self) -> Option<String> {
        self.0.uid()
    }

    /// When the object was made.
    pub(crate) fn object_created_at(&self) -> Option<Timestamp> {
        self.0.creation_timestamp().map(|time| time.0)
    }

    /// Whether the object is being deleted.
    pub(crate) fn is_going(&self) -> bool {
        self.0.meta().deletion_timestamp.is_some()
    }

    /// Whether the server in Azure is being deleted along with the object.
    pub(crate) fn deletion_is_requested(&self) -> bool {
        azure::is_being_ended(&self.0)
    }

    /// Whether it is only looked for, to see whose it is.
    pub(crate) fn is_probe(&self) -> bool {
        adoption::is_probe(&self.0)
    }

    /// The `Database` that its labels name.
    pub(crate) fn labelled(&self) -> Option<DatabaseRef<'_>> {
        let labels = self.0.labels();
        Some(DatabaseRef::new(labels.get(DATABASE_NAMESPACE)?, labels.get(DATABASE_NAME)?))
    }

    /// Whether its tags in Azure name this `Database`.
    pub(crate) fn is_tagged(&self, database: DatabaseRef<'_>) -> bool {
        adoption::is_tagged(&self.0, database)
    }

    /// Whether another cluster than this one has it, by its tags in Azure.
    pub(crate) fn is_of_another_cluster(&self, here: Here<'_>) -> bool {
        self.0.created_status().is_some_and(|status| here.stranger(&status.tags).is_some())
    }

    /// When a `Database` took it last, by its tags in Azure.
    pub(crate) fn taken_at(&self) -> Option<Timestamp> {
        adoption::taken(&self.0)
    }

    /// How far Azure has come with it.
    pub(crate) fn progress(&self) -> Progress {
        condition::progress(&self.0)
    }

    /// Whether Azure has told of a server by this name.
    pub(crate) fn is_known_to_azure(&self) -> bool {
        self.0.created_status().is_some()
    }

    /// Whether Azure was asked for it, and may be making it.
    pub(crate) fn is_being_made(&self) -> bool {
        !self.is_probe()
            && !self.is_known_to_azure()
            && self.progress().is_under_way()
            && !condition::waits_for_another(&self.0)
    }

    /// Whether Azure has it, and it is more than looked for.
    pub(crate) fn is_made(&self) -> bool {
        !self.is_probe() && self.is_known_to_azure()
    }

    /// Who administers it by a password, if it has ever taken any.
    pub(crate) fn administrator_login(&self) -> Option<&str> {
        self.0.status.as_ref()?.administrator_login.as_deref()
    }

    /// When Azure made it.
    pub(crate) fn created_at(&self) -> Option<Timestamp> {
        self.0.created_at()
    }

    /// Whether its labels name this `Database`.
    pub(crate) fn belongs_to(&self, database: DatabaseRef<'_>) -> bool {
        belongs_to(&self.0, database)
    }

    /// Why nobody can log in, and the words for it, if Azure lets nobody in.
    pub(crate) fn not_serving(&self) -> Option<(Reason, &'static str)> {
        states::not_serving(&self.0).map(|(_, reason, words)| (*reason, *words))
    }

    /// From when on Azure can restore it, if it says so.
    pub(crate) fn earliest_restore(&self) -> Option<Timestamp> {
        self.0.earliest_restore()
    }

    /// What Azure reports of it; what it doesn't tell is `None`.
    pub(crate) fn describe(&self) -> ServerStatus {
        let observed = self.0.status.as_ref();
        ServerStatus {
            name: self.name(),
            id: observed.and_then(|status| status.id.clone()),
            created_at: self.created_at().map(Time),
            version: observed.and_then(|status| status.version.clone()),
            minor_version: observed.and_then(|status| {
                Some(format!("{}.{}", status.version.as_ref()?, status.minor_version.as_ref()?))
            }),
            sku: observed.and_then(|status| Some(status.sku.as_ref()?.name.clone())),
            size_gib: observed.and_then(|status| status.storage.as_ref()?.size_gib),
            location: None,
        }
    }
}
