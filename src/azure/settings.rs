//! Between the settings of a spec and what Azure calls them, both ways: what was asked for once is read back from the
//! object that asked.

use api::{Day, HighAvailability, MaintenanceWindow, StorageTier};
use policy::Settings;
use serde::de::{DeserializeOwned, IntoDeserializer, value::Error};

use super::database_for_postgresql::{self as azure, FlexibleServerSpec};

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

/// Writes the settings into a server's spec; what isn't set is left to Azure.
pub(super) fn write(settings: &Settings, spec: &mut FlexibleServerSpec) {
    spec.storage.tier = settings.storage_tier.map(|tier| tier.to_string());
    spec.storage.auto_grow = settings.auto_grow.map(switch);
    spec.high_availability =
        settings.high_availability.map(|mode| azure::HighAvailability { mode: Some(mode.to_string()) });
    let backup = azure::Backup {
        retention_days: settings.backup.retention_days,
        geo_redundant: settings.backup.geo_redundant.map(switch),
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

/// The settings that a server's spec asks for. A word that isn't ours counts as nothing.
pub fn read(spec: &FlexibleServerSpec) -> Settings {
    let backup = spec.backup.clone().unwrap_or_default();
    let mode =
        spec.high_availability.as_ref().and_then(|high_availability| high_availability.mode.as_deref());
    Settings {
        storage_tier: spec.storage.tier.as_deref().and_then(word::<StorageTier>),
        auto_grow: spec.storage.auto_grow.as_deref().and_then(is_on),
        high_availability: mode.and_then(word::<HighAvailability>),
        backup: api::Backup {
            retention_days: backup.retention_days,
            geo_redundant: backup.geo_redundant.as_deref().and_then(is_on),
        },
        maintenance_window: spec.maintenance_window.as_ref().and_then(|window| {
            let day = DAYS.get(usize::try_from(window.day_of_week).ok()?)?;
            (window.custom_window == ENABLED)
                .then_some(MaintenanceWindow { day: *day, hour: window.start_hour })
        }),
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

    #[rstest]
    #[case::nothing(Settings::default())]
    #[case::everything(Settings {
        storage_tier: Some(StorageTier::P10),
        auto_grow: Some(true),
        high_availability: Some(HighAvailability::ZoneRedundant),
        backup: api::Backup { retention_days: Some(14), geo_redundant: Some(false) },
        maintenance_window: Some(MaintenanceWindow { day: Day::Saturday, hour: 23 }),
    })]
    #[case::a_part(Settings {
        backup: api::Backup { retention_days: None, geo_redundant: Some(true) },
        maintenance_window: Some(MaintenanceWindow { day: Day::Sunday, hour: 0 }),
        ..Settings::default()
    })]
    fn what_is_asked_for_can_be_read_back(#[case] settings: Settings) {
        let mut spec = FlexibleServerSpec::default();
        write(&settings, &mut spec);
        assert_eq!(read(&spec), settings);
    }

    #[test]
    fn a_word_that_is_not_ours_counts_as_nothing() {
        let mut spec = FlexibleServerSpec::default();
        spec.storage.tier = Some("P1".to_owned());
        assert_eq!(read(&spec), Settings::default());
    }
}
