//! Between the settings of a spec and what Azure calls them, both ways: what was asked for once is read back from the
//! object that asked.

use api::{Backup, DatabaseSpec, Day, HighAvailability, MaintenanceWindow, Storage, StorageTier, version};
use serde::de::{DeserializeOwned, IntoDeserializer, value::Error};

use super::database_for_postgresql::{self as azure, FlexibleServerSpec, FlexibleServerStatus};

/// Azure's numbers of the days.
const DAYS: [Day; 7] =
    [Day::Sunday, Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday, Day::Saturday];

/// How Azure writes yes.
const ENABLED: &str = "Enabled";
/// How Azure writes no.
const DISABLED: &str = "Disabled";

pub fn switch(on: bool) -> String {
    if on { ENABLED } else { DISABLED }.to_owned()
}

pub fn is_on(switch: &str) -> Option<bool> {
    match switch {
        ENABLED => Some(true),
        DISABLED => Some(false),
        _ => None,
    }
}

/// Writes what a server can do without into its spec; what isn't set is left to Azure.
pub(super) fn write(settings: &DatabaseSpec, spec: &mut FlexibleServerSpec) {
    let Storage { tier, auto_grow, .. } = settings.storage.clone().unwrap_or_default();
    spec.storage.tier = tier.map(|tier| tier.to_string());
    spec.storage.auto_grow = auto_grow.map(switch);
    spec.high_availability =
        settings.high_availability.map(|mode| azure::HighAvailability { mode: Some(mode.to_string()) });
    let backup = settings.backup.clone().unwrap_or_default();
    let backup = azure::Backup {
        retention_days: backup.retention_days,
        geo_redundant: backup.geo_redundant.map(switch),
        earliest_restore_date: None,
    };
    spec.backup = (backup != azure::Backup::default()).then_some(backup);
    spec.maintenance_window = settings.maintenance_window.as_ref().map(|window| azure::MaintenanceWindow {
        custom_window: ENABLED.to_owned(),
        day_of_week: DAYS
            .iter()
            .zip(0..)
            .find(|(day, _)| **day == window.day)
            .map_or(0, |(_, number)| number),
        start_hour: window.hour,
        start_minute: 0,
    });
}

/// What a server is that Azure has made, but for its size and what is in it. Version and disk are as Azure reports them, since
/// neither ever goes back; the rest is what was asked for.
pub fn running(spec: &FlexibleServerSpec, status: &FlexibleServerStatus) -> DatabaseSpec {
    let size_gib = status.storage.as_ref().and_then(|storage| storage.size_gib);
    let mut running = DatabaseSpec {
        version: version::of_server(status.version.as_ref().unwrap_or(&spec.version)),
        ..read(spec)
    };
    running.storage.get_or_insert_default().size_gib = size_gib.or(spec.storage.size_gib);
    running
}

/// What a server's spec asks for of what it can do without. A word that isn't ours counts as nothing.
pub fn read(spec: &FlexibleServerSpec) -> DatabaseSpec {
    let storage = Storage {
        size_gib: None,
        tier: spec.storage.tier.as_deref().and_then(word::<StorageTier>),
        auto_grow: spec.storage.auto_grow.as_deref().and_then(is_on),
    };
    let backup = spec.backup.as_ref().map(|backup| Backup {
        retention_days: backup.retention_days,
        geo_redundant: backup.geo_redundant.as_deref().and_then(is_on),
        // It lies apart from the server.
        vault: None,
    });
    let mode =
        spec.high_availability.as_ref().and_then(|high_availability| high_availability.mode.as_deref());
    DatabaseSpec {
        storage: (storage != Storage::default()).then_some(storage),
        high_availability: mode.and_then(word::<HighAvailability>),
        backup: backup.filter(|backup| *backup != Backup::default()),
        maintenance_window: spec.maintenance_window.as_ref().and_then(|window| {
            let day = DAYS.get(usize::try_from(window.day_of_week).ok()?)?;
            (window.custom_window == ENABLED)
                .then_some(MaintenanceWindow { day: *day, hour: window.start_hour })
        }),
        ..DatabaseSpec::default()
    }
}

pub fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    let deserializer: serde::de::value::StrDeserializer<'_, Error> = text.into_deserializer();
    T::deserialize(deserializer).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    #[rstest]
    #[case::nothing(json!({}))]
    #[case::everything(json!({
        "storage": {"tier": "P10", "autoGrow": true}, "highAvailability": "ZoneRedundant",
        "backup": {"retentionDays": 14, "geoRedundant": false}, "maintenanceWindow": {"day": "Saturday", "hour": 23},
    }))]
    #[case::a_part(json!({"backup": {"geoRedundant": true}, "maintenanceWindow": {"day": "Sunday", "hour": 0}}))]
    fn what_is_asked_for_can_be_read_back(#[case] settings: Value) {
        let settings: DatabaseSpec = serde_json::from_value(settings).unwrap();
        let mut spec = FlexibleServerSpec::default();
        write(&settings, &mut spec);
        assert_eq!(read(&spec), settings);
    }

    #[test]
    fn a_word_that_is_not_ours_counts_as_nothing() {
        let mut spec = FlexibleServerSpec::default();
        spec.storage.tier = Some("P1".to_owned());
        assert_eq!(read(&spec), DatabaseSpec::default());
    }
}
