//! The copies in the vault.

use api::{BackupsStatus, DatabaseStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::controller::{
    engine::conditions::{VAULT_BACKUP, Writer, find},
    server::vault::Vault,
};

pub(super) fn fill(status: &mut DatabaseStatus, vault: &Vault) {
    let told = match vault {
        Vault::AsBefore => return,
        Vault::Unwanted => None,
        Vault::Told(told) => Some(told.status.clone()),
    };
    if told.is_some() || status.backups.is_some() {
        status.backups.get_or_insert_default().vault = told;
    }
    status.backups.take_if(|backups| *backups == BackupsStatus::default());
}

/// None where there are to be no copies.
pub(super) fn condition(writer: &Writer<'_>, vault: &Vault) -> Option<Condition> {
    match vault {
        Vault::AsBefore => find(writer.old, VAULT_BACKUP).cloned(),
        Vault::Unwanted => None,
        Vault::Told(told) => {
            let reason = told.reason.as_str();
            Some(writer.condition(VAULT_BACKUP, told.condition_status(), reason, told.message.clone()))
        }
    }
}
