//! Backups.

use crate::azure::{
    arm::{
        errors::ArmError,
        server::{Server, is_enabled},
    },
    catalogue::regions,
};

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

/// Geo-redundant backups go to the paired region, which not every region has. They are chosen at creation only; see
/// [`super::fixed`].
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#geo-redundant-backup-and-restore>
pub(super) fn region_is_paired(_: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let wanted = is_enabled(requested.properties.backup.geo_redundant_backup.as_deref());
    match requested.location.as_deref() {
        Some(location) if wanted && !regions::is_paired(location) => {
            Err(ArmError::invalid_parameter_because(
                "GeoRedundantBackup",
                &format!(
                    "Geo-redundant backup is not available in region '{}'.",
                    regions::short_name(location)
                ),
            )
            .target("properties.backup.geoRedundantBackup"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{
        super::testing::{asking, server},
        *,
    };

    #[rstest]
    #[case::paired("norwayeast", "Enabled", true)]
    #[case::alone("polandcentral", "Enabled", false)]
    #[case::local("polandcentral", "Disabled", true)]
    fn geo_redundancy_needs_a_pair(#[case] location: &str, #[case] setting: &str, #[case] allowed: bool) {
        let backup = json!({"backup": {"geoRedundantBackup": setting}});
        let requested = server(json!({"location": location, "properties": backup}));
        assert_eq!(region_is_paired(None, &requested).is_ok(), allowed);
    }

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
