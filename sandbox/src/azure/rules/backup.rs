//! Backups.

use crate::azure::arm::{errors::ArmError, server::Server};

/// Backups are kept for 7 to 35 days.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#backup-retention>
pub(super) fn retention_in_range(_: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    match requested.properties.backup.backup_retention_days {
        // Azure names the value here, not the parameter.
        Some(days) if !(7..=35).contains(&days) => {
            Err(ArmError::invalid_parameter(&days.to_string())
                .target("properties.backup.backupRetentionDays"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{super::testing::asking, *};

    #[rstest]
    #[case(6, false)]
    #[case(7, true)]
    #[case(35, true)]
    #[case(36, false)]
    fn retention_has_a_range(#[case] days: i64, #[case] allowed: bool) {
        let requested = asking(json!({"backup": {"backupRetentionDays": days}}));
        assert_eq!(retention_in_range(None, &requested).is_ok(), allowed);
    }
}
