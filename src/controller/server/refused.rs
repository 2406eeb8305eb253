//! What is to change on a server that runs, and what becomes of a change that Azure refuses.
//!
//! Azure Service Operator would send it for ever: a refused upgrade, with its check beforehand, again and again, and with it
//! each later change. So what runs is written back, the status says what was refused, and Azure is asked again when the spec
//! is another one.

use std::str::FromStr;

use api::{Database, HighAvailability, RefusedChange, RefusedField, StorageTier};
use policy::{Effective, catalogue::Catalogue};

use super::known::Known;
use crate::{
    api_error::one_line,
    azure::{
        condition::{self, Kind, Progress},
        settings,
    },
    controller::engine::conditions,
};

/// A field of the spec that a server has a value of.
struct Field {
    /// Below `spec`.
    path: &'static str,
    /// For messages.
    name: &'static str,
    unit: &'static str,
    /// Its value in the settings of a server, be they Azure's or asked for.
    read: fn(&Settings<'_>) -> Option<String>,
    wanted: fn(&Effective) -> Option<String>,
    /// Takes a value back.
    write: fn(&mut Effective, &str, &Catalogue) -> Option<()>,
}

/// What a server has, as Azure tells it or as its object asks for.
struct Settings<'a> {
    version: Option<&'a str>,
    sku: Option<&'a str>,
    size_gib: Option<i32>,
    tier: Option<&'a str>,
    auto_grow: Option<&'a str>,
    high_availability: Option<&'a str>,
    retention_days: Option<i32>,
}

macro_rules! read_settings {
    ($from:expr, $version:expr, $sku:expr, $storage:expr) => {{
        let (storage, backup) = ($storage, $from.backup.as_ref());
        Settings {
            version: $version,
            sku: $sku,
            size_gib: storage.and_then(|storage| storage.size_gib),
            tier: storage.and_then(|storage| storage.tier.as_deref()),
            auto_grow: storage.and_then(|storage| storage.auto_grow.as_deref()),
            high_availability: $from.high_availability.as_ref().and_then(|standby| standby.mode.as_deref()),
            retention_days: backup.and_then(|backup| backup.retention_days),
        }
    }};
}

fn text<T: ToString>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// In the order in which messages tell of them.
#[rustfmt::skip]
const FIELDS: &[Field] = &[
    Field {
        path: VERSION, name: "version", unit: "",
        read: |server| text(server.version),
        wanted: |effective| text(Some(effective.version)),
        write: |effective, value, _| put(&mut effective.version, value),
    },
    Field {
        path: "sku", name: "sku", unit: "",
        read: |server| text(server.sku),
        wanted: |effective| text(Some(&effective.size.name)),
        write: |effective, value, catalogue| { effective.size = catalogue.size(value)?.clone(); Some(()) },
    },
    Field {
        path: SIZE, name: "storage", unit: " GiB",
        read: |server| text(server.size_gib),
        wanted: |effective| text(Some(effective.size_gib)),
        write: |effective, value, _| put(&mut effective.size_gib, value),
    },
    Field {
        path: "storage.tier", name: "storage tier", unit: "",
        read: |server| text(server.tier),
        wanted: |effective| text(effective.settings.storage.as_ref().and_then(|storage| storage.tier)),
        write: |effective, value, _| { effective.settings.storage.get_or_insert_default().tier = Some(settings::word::<StorageTier>(value)?); Some(()) },
    },
    Field {
        path: "storage.autoGrow", name: "automatic growth", unit: "",
        read: |server| text(server.auto_grow),
        wanted: |effective| effective.settings.storage.as_ref().and_then(|storage| storage.auto_grow).map(settings::switch),
        write: |effective, value, _| { effective.settings.storage.get_or_insert_default().auto_grow = Some(settings::is_on(value)?); Some(()) },
    },
    Field {
        path: "highAvailability", name: "high availability", unit: "",
        read: |server| text(server.high_availability),
        wanted: |effective| text(effective.settings.high_availability),
        write: |effective, value, _| { effective.settings.high_availability = Some(settings::word::<HighAvailability>(value)?); Some(()) },
    },
    Field {
        path: "backup.retentionDays", name: "backups", unit: " days",
        read: |server| text(server.retention_days),
        wanted: |effective| text(effective.settings.backup.as_ref().and_then(|backup| backup.retention_days)),
        write: |effective, value, _| { effective.settings.backup.get_or_insert_default().retention_days = Some(value.parse().ok()?); Some(()) },
    },
];

/// The field whose change is an upgrade.
const VERSION: &str = "version";
const SIZE: &str = "storage.sizeGiB";
/// Fields that Azure never takes back.
const GROWS: &[&str] = &[VERSION, SIZE];

fn put<T: FromStr>(place: &mut T, value: &str) -> Option<()> {
    *place = value.parse().ok()?;
    Some(())
}

/// What Azure has otherwise than it is wanted. What Azure doesn't tell, or nobody asks for, is no difference.
pub(crate) fn differences(known: &Known, effective: &Effective) -> Vec<RefusedField> {
    let Some(status) = known.server.as_ref().and_then(|server| server.object().status.as_ref()) else {
        return Vec::new();
    };
    let sku = status.sku.as_ref().map(|sku| sku.name.as_str());
    let server = read_settings!(status, status.version.as_deref(), sku, status.storage.as_ref());
    let differs = |field: &Field| {
        let (from, to) = ((field.read)(&server)?, (field.wanted)(effective)?);
        let is_other = !from.is_empty() && !from.eq_ignore_ascii_case(&to);
        is_other.then(|| RefusedField { field: field.path.to_owned(), from, to })
    };
    FIELDS.iter().filter_map(differs).collect()
}

/// `version from 16 to 17, storage from 32 to 64 GiB`.
pub(crate) fn told(changes: &[RefusedField]) -> String {
    let told = changes.iter().map(|RefusedField { field, from, to }| {
        let known = FIELDS.iter().find(|known| known.path == field);
        let (name, unit) = known.map_or((field.as_str(), ""), |known| (known.name, known.unit));
        format!("{name} from {from} to {to}{unit}")
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Whether PostgreSQL is upgraded.
pub(crate) fn is_upgrade(changes: &[RefusedField]) -> bool {
    changes.iter().any(|change| change.field == VERSION)
}

/// What is wanted, but for what Azure refused: that stays as it was until the spec is another one.
pub(crate) fn held_back(
    database: &Database,
    known: &Known,
    wanted: Effective,
    catalogue: &Catalogue,
) -> (Effective, Option<RefusedChange>) {
    let stands = standing(database).and_then(|refused| unfulfilled(refused, &differences(known, &wanted)));
    let refused = stands.or_else(|| refused(database, known, &wanted));
    let held = match &refused {
        Some(refused) => hold(wanted, refused, catalogue),
        None => wanted,
    };
    (held, refused)
}

/// The refusal that still stands: of the spec as it is now.
fn standing(database: &Database) -> Option<&RefusedChange> {
    let refused = database.status.as_ref()?.refused.as_ref()?;
    (Some(refused.generation) == database.metadata.generation).then_some(refused)
}

/// What Azure has just refused of this spec. Of a database for which nothing new is wanted, it is trouble and no refusal.
fn refused(database: &Database, known: &Known, effective: &Effective) -> Option<RefusedChange> {
    let server = known.server.as_ref().filter(|server| server.is_made())?;
    let (Progress::GaveUp { reason, message } | Progress::Retrying { reason, message }) = server.progress()
    else {
        return None;
    };
    // Where the way is closed, the same is taken once it is open.
    let (kind, _) = condition::meaning(&reason, &message);
    if conditions::is_current(database) || !matches!(kind, Kind::Wish | Kind::Unknown) {
        return None;
    }
    let changes = differences(known, effective);
    let spec = &server.object().spec;
    let asked =
        read_settings!(spec, Some(spec.version.as_str()), Some(spec.sku.name.as_str()), Some(&spec.storage));
    // It may have been about an older spec.
    let was_asked = |change: &RefusedField| {
        let field = FIELDS.iter().find(|field| field.path == change.field);
        field.and_then(|field| (field.read)(&asked)).is_some_and(|asked| asked == change.to)
    };
    let is_about_these = !changes.is_empty() && changes.iter().all(was_asked);
    is_about_these.then(|| RefusedChange {
        generation: database.metadata.generation.unwrap_or_default(),
        changes,
        code: reason,
        message: one_line(&message),
    })
}

/// What of a refusal Azure hasn't done all the same: a try of Azure Service Operator's may come before what is written back.
/// What only grows is never taken back further than it is.
fn unfulfilled(refused: &RefusedChange, differences: &[RefusedField]) -> Option<RefusedChange> {
    let left = refused.changes.iter().filter_map(|change| {
        let now = differences.iter().find(|now| now.field == change.field)?;
        let from = if GROWS.contains(&change.field.as_str()) { &now.from } else { &change.from };
        Some(RefusedField { from: from.clone(), ..change.clone() })
    });
    let changes: Vec<_> = left.collect();
    (!changes.is_empty()).then(|| RefusedChange { changes, ..refused.clone() })
}

/// Takes each field that was refused back to what it was.
fn hold(effective: Effective, refused: &RefusedChange, catalogue: &Catalogue) -> Effective {
    let mut held = effective;
    for change in &refused.changes {
        let field = FIELDS.iter().find(|field| field.path == change.field);
        // A value that can't be read is none of ours: what is wanted then goes to Azure once more.
        let _ = field.and_then(|field| (field.write)(&mut held, &change.from, catalogue));
    }
    held
}

#[cfg(test)]
mod tests;
