//! What Azure's answers depend on beside the request: locks, regions that are closed, and whom a database belongs to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Whom a database belongs to in PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ownership {
    pub owner: String,
    /// Names of the administrators from Microsoft Entra that the server had when the database was made.
    pub administrators: Vec<String>,
    /// RFC 3339, UTC, by Azure's clock.
    pub made_at: Timestamp,
}

impl Ownership {
    /// What belongs to Azure's own superuser is of no use to anybody.
    pub fn is_usable(&self) -> bool {
        self.owner != "azuresu"
    }
}

/// What a management lock stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lock {
    CanNotDelete,
    ReadOnly,
}

/// What a region does not give to this subscription, beside what it gives to nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Region {
    /// No new server is available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    /// Only sizes whose names match one of these, with `*` and `?` as wildcards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizes: Option<Vec<String>>,
}

/// The ways in which Azure says that a region is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Closed {
    /// `LocationIsOfferRestricted`.
    OfferRestricted,
    /// `ParameterOutOfRange`, with an empty list of versions.
    NoVersions,
}
