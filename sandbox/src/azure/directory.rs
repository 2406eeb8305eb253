//! Whom Microsoft Entra ID knows by name: servers look principals up there that are created without an object id.

use serde::{Deserialize, Serialize};

use crate::postgres::PrincipalType;

/// A user, a group or an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DirectoryEntry {
    /// A user's principal name, or the display name of anybody else.
    pub name: String,
    pub object_id: String,
    #[serde(rename = "type")]
    pub principal_type: PrincipalType,
}
