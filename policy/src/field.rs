//! The fields of a `Database`'s spec, a row for each: how its value is read, where it comes from when it is left out, and by
//! what else it is judged.
//!
//! Webhook, defaults and notes go through this table, so a new field is a row here, with its type in `api` and its rules.

use std::{collections::BTreeMap, sync::LazyLock};

use api::{Authentication, DatabaseSpec, Day, HighAvailability, StorageTier, version::written};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::{Code, document::raw};

/// A field of a spec, or a group of fields.
#[derive(Debug)]
pub struct Field {
    /// Path below `spec`, e.g. `storage.sizeGiB`; empty for all of it.
    pub path: &'static str,
    /// The code of a value that can't be read.
    pub code: Code,
    /// What to write instead of a value that can't be read.
    pub write: &'static str,
    pub form: Form,
    /// Paths of fields by which this one is judged, too: where one of them can't be read, nothing can be said about this
    /// one.
    pub judged_by: &'static [&'static str],
    /// `None` for what is not a value of its own: a group, or a part of a value.
    pub(crate) value: Option<Value>,
}

/// What a field is written as.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A text, a number or a truth value.
    Scalar,
    /// One of these words.
    Word(fn() -> Vec<String>),
    /// A list with at most so many items, and what to write instead of an item that can't be read.
    List { most: usize, write: &'static str },
    /// A map with at most so many entries, and what to write instead of a value that can't be read.
    Map { most: usize, write: &'static str },
    /// A map of the fields below it.
    Fields,
    /// The same, where either all of them are written or none.
    AllFields,
}

/// A value of a spec.
#[derive(Debug)]
pub(crate) struct Value {
    /// As text, of one that is filled in without `,` and `@`; `None` when it is absent.
    pub(crate) text: fn(&DatabaseSpec) -> Option<String>,
    /// Takes it over from another spec, present or absent.
    pub(crate) copy: fn(&mut DatabaseSpec, &DatabaseSpec),
    pub(crate) left_out: LeftOut,
    /// Takes it over from what a profile fills in, and returns the line where that is written; `None` when it isn't.
    pub(crate) default: fn(&raw::Defaults, &mut DatabaseSpec) -> Option<u64>,
    /// Whether not every change of it can be made on a server that exists, or be taken back.
    pub(crate) one_way: bool,
    /// Whether a restored server has it as its source has it.
    /// <https://learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore#point-in-time-recovery>
    pub(crate) comes_with_data: bool,
}

/// What becomes of a value that is left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LeftOut {
    /// It is filled in, and a server that exists must have it: a default fills it in although nothing is known of it.
    Required,
    /// It is filled in.
    Filled,
    /// It is filled in, and lies apart from the server, which tells nothing of it.
    Apart,
    /// It stays what it was when the server was made.
    Stays,
    /// It gets the value that it has without anybody writing one.
    Reset,
}

/// All of a spec.
pub const SPEC: Field = Field {
    path: "",
    code: Code::Shape,
    write: "write fields below it, such as sku: Standard_B1ms, or leave it out",
    form: Form::Fields,
    judged_by: &[],
    value: None,
};

fn words<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// A value where it stands in a spec, `field` or `group.field`, and as what it is shown.
macro_rules! value {
    ($left_out:ident, $field:ident, $shown:expr) => {
        Value {
            text: |spec| spec.$field.as_ref().map($shown),
            copy: |to, from| to.$field.clone_from(&from.$field),
            left_out: LeftOut::$left_out,
            default: |_, _| None,
            one_way: false,
            comes_with_data: false,
        }
    };
    ($left_out:ident, $group:ident.$field:ident, $shown:expr) => {
        Value {
            text: |spec| spec.$group.as_ref()?.$field.as_ref().map($shown),
            copy: |to, from| {
                let value = from.$group.as_ref().and_then(|group| group.$field.clone());
                to.$group.get_or_insert_default().$field = value;
            },
            left_out: LeftOut::$left_out,
            default: |_, _| None,
            one_way: false,
            comes_with_data: false,
        }
    };
}

/// The same, of one that is filled in.
macro_rules! filled {
    ($left_out:ident, $field:ident, $shown:expr) => {
        filled!($left_out, $field, $shown, Clone::clone)
    };
    ($left_out:ident, $field:ident, $shown:expr, $meant:expr) => {
        Value {
            default: |written, spec| {
                let written = written.$field.as_ref()?;
                spec.$field = Some($meant(&written.value));
                Some(written.line)
            },
            ..value!($left_out, $field, $shown)
        }
    };
    ($left_out:ident, $group:ident.$field:ident, $shown:expr) => {
        Value {
            default: |written, spec| {
                let written = written.$group.$field.as_ref()?;
                spec.$group.get_or_insert_default().$field = Some(written.value.clone());
                Some(written.line)
            },
            ..value!($left_out, $group.$field, $shown)
        }
    };
}

/// Every field and group, in the order in which `DatabaseSpec` has them.
pub const FIELDS: &[Field] = &[
    Field {
        path: "version",
        code: Code::VersionOutOfSupport,
        write: "write a major version of PostgreSQL alone, such as 17",
        form: Form::Scalar,
        judged_by: &[],
        value: Some(Value {
            one_way: true,
            comes_with_data: true,
            ..filled!(Required, version, written, |major: &u16| IntOrString::Int(i32::from(*major)))
        }),
    },
    Field {
        path: "sku",
        code: Code::SkuUnknown,
        write: "write Azure's name of a size, such as Standard_B1ms",
        form: Form::Scalar,
        judged_by: &[],
        value: Some(Value { comes_with_data: true, ..filled!(Required, sku, String::clone) }),
    },
    Field {
        path: "storage",
        code: Code::StorageSize,
        write: "write fields below it, such as sizeGiB: 64",
        form: Form::Fields,
        judged_by: &[],
        value: None,
    },
    Field {
        path: "storage.sizeGiB",
        code: Code::StorageSize,
        write: "write a whole number of GiB without quotes and without a unit, such as 64",
        form: Form::Scalar,
        judged_by: &[],
        value: Some(Value {
            one_way: true,
            comes_with_data: true,
            ..filled!(Required, storage.size_gib, ToString::to_string)
        }),
    },
    Field {
        path: "storage.tier",
        code: Code::StorageTier,
        write: "write a tier, such as P10",
        form: Form::Word(|| words(StorageTier::ALL)),
        judged_by: &["storage.sizeGiB"],
        value: Some(Value { comes_with_data: true, ..filled!(Filled, storage.tier, ToString::to_string) }),
    },
    Field {
        path: "storage.autoGrow",
        code: Code::Shape,
        write: "write true or false, without quotes",
        form: Form::Scalar,
        judged_by: &[],
        value: Some(Value {
            comes_with_data: true,
            ..filled!(Filled, storage.auto_grow, ToString::to_string)
        }),
    },
    Field {
        path: "highAvailability",
        code: Code::HighAvailability,
        write: "write a word, such as ZoneRedundant",
        form: Form::Word(|| words(HighAvailability::ALL)),
        judged_by: &["sku"],
        value: Some(filled!(Filled, high_availability, ToString::to_string)),
    },
    Field {
        path: "backup",
        code: Code::Backup,
        write: "write fields below it, such as retentionDays: 14",
        form: Form::Fields,
        judged_by: &[],
        value: None,
    },
    Field {
        path: "backup.retentionDays",
        code: Code::Backup,
        write: "write a whole number of days without quotes, such as 14",
        form: Form::Scalar,
        judged_by: &[],
        value: Some(Value {
            comes_with_data: true,
            ..filled!(Filled, backup.retention_days, ToString::to_string)
        }),
    },
    Field {
        path: "backup.geoRedundant",
        code: Code::Backup,
        write: "write true or false, without quotes",
        form: Form::Scalar,
        judged_by: &[],
        value: Some(Value {
            one_way: true,
            comes_with_data: true,
            ..filled!(Filled, backup.geo_redundant, ToString::to_string)
        }),
    },
    Field {
        path: "backup.vault",
        code: Code::Backup,
        write: "write the policy's name of a backup policy, such as weekly, or None",
        form: Form::Scalar,
        judged_by: &[],
        value: Some(filled!(Apart, backup.vault, String::clone)),
    },
    Field {
        path: "maintenanceWindow",
        code: Code::MaintenanceWindow,
        write: "write day and hour below it, such as {day: Sunday, hour: 3}",
        form: Form::AllFields,
        judged_by: &[],
        value: Some(filled!(Filled, maintenance_window, |window| format!("{} {}", window.day, window.hour))),
    },
    Field {
        path: "maintenanceWindow.day",
        code: Code::MaintenanceWindow,
        write: "write a day of the week, such as Sunday",
        form: Form::Word(|| words(Day::ALL)),
        judged_by: &[],
        value: None,
    },
    Field {
        path: "maintenanceWindow.hour",
        code: Code::MaintenanceWindow,
        write: "write an hour from 0 to 23, without quotes",
        form: Form::Scalar,
        judged_by: &[],
        value: None,
    },
    Field {
        path: "databaseName",
        code: Code::Name,
        write: "write a name, in quotes if it looks like a number or a word of YAML",
        form: Form::Scalar,
        judged_by: &[],
        value: Some(Value {
            one_way: true,
            comes_with_data: true,
            ..value!(Stays, database_name, String::clone)
        }),
    },
    Field {
        path: "extensions",
        code: Code::Extension,
        write: "write a list of names, such as [pgcrypto, vector]",
        form: Form::List { most: 64, write: "write a name, such as vector, or leave it out" },
        judged_by: &["version"],
        value: Some(value!(Reset, extensions, |names| names.join(" "))),
    },
    Field {
        path: "parameters",
        code: Code::Parameter,
        write: "write names with values below it, such as work_mem: 16384",
        form: Form::Map { most: 256, write: "write a text, a number, on or off" },
        judged_by: &["version", "sku", "extensions"],
        value: Some(value!(Reset, parameters, |parameters| parameters
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" "))),
    },
    Field {
        path: "authentication",
        code: Code::Authentication,
        write: "write a word, such as Identity",
        form: Form::Word(|| words(Authentication::ALL)),
        judged_by: &[],
        value: Some(value!(Reset, authentication, ToString::to_string)),
    },
    Field {
        path: "serviceAccountName",
        code: Code::Name,
        write: "write a name, in quotes if it looks like a number or a word of YAML",
        form: Form::Scalar,
        judged_by: &[],
        value: Some(value!(Reset, service_account_name, String::clone)),
    },
    Field {
        path: "restoreFrom",
        code: Code::RestoreImpossible,
        write: "write database and time below it, such as {database: main, time: \"2026-11-27T12:00:00Z\"}",
        form: Form::Fields,
        judged_by: &[],
        value: Some(value!(Stays, restore_from, |from| {
            let origin = from.database.as_ref().or(from.server_id.as_ref());
            format!("{} {}", origin.map_or("", String::as_str), from.time.as_deref().unwrap_or_default())
        })),
    },
    Field {
        path: "restoreFrom.database",
        code: Code::RestoreImpossible,
        write: "write the name of a Database, such as main, in quotes if it looks like a number or a word of YAML",
        form: Form::Scalar,
        judged_by: &[],
        value: None,
    },
    Field {
        path: "restoreFrom.serverId",
        code: Code::RestoreImpossible,
        write: "write the resource id of a server",
        form: Form::Scalar,
        judged_by: &[],
        value: None,
    },
    Field {
        path: "restoreFrom.time",
        code: Code::RestoreImpossible,
        write: "write a moment in UTC, such as \"2026-11-27T12:00:00Z\"",
        form: Form::Scalar,
        judged_by: &[],
        value: None,
    },
];

impl Field {
    /// The fields below this one, each with its name there.
    pub fn below(&self) -> &'static [(&'static str, &'static Self)] {
        // Each review asks several times.
        static BELOW: LazyLock<BTreeMap<&str, Vec<(&str, &Field)>>> = LazyLock::new(|| {
            let mut below = BTreeMap::<_, Vec<_>>::new();
            for field in FIELDS {
                let (group, name) = field.path.rsplit_once('.').unwrap_or(("", field.path));
                below.entry(group).or_default().push((name, field));
            }
            below
        });
        BELOW.get(self.path).map_or(&[], Vec::as_slice)
    }
}

impl Value {
    /// Whether it is filled in when it is left out.
    pub(crate) fn has_defaults(&self) -> bool {
        !matches!(self.left_out, LeftOut::Stays | LeftOut::Reset)
    }
}

/// The values of a spec, each with its field.
pub(crate) fn values() -> impl Iterator<Item = (&'static Field, &'static Value)> {
    FIELDS.iter().filter_map(|field| Some((field, field.value.as_ref()?)))
}

/// What of a spec a server can do without, and nothing else.
pub(crate) fn optional(spec: &DatabaseSpec) -> DatabaseSpec {
    let mut optional = DatabaseSpec::default();
    let is_optional = |value: &Value| matches!(value.left_out, LeftOut::Filled | LeftOut::Apart);
    for (_, value) in values().filter(|(_, value)| is_optional(value)) {
        if (value.text)(spec).is_some() {
            (value.copy)(&mut optional, spec);
        }
    }
    optional
}

/// The value that a path names, or a part of.
pub(crate) fn value_at(path: &str) -> Option<(&'static Field, &'static Value)> {
    values().find(|(field, _)| is_within(path, field.path))
}

/// Whether the value that a path from the root of the object names stands in this spec.
pub(crate) fn is_written(path: &str, spec: &DatabaseSpec) -> bool {
    let value = path.strip_prefix("spec.").and_then(value_at);
    value.is_some_and(|(_, value)| (value.text)(spec).is_some())
}

/// Whether a path is that of a field, or lies below it: `storage.sizeGiB` and `parameters["a"]` below `storage` and
/// `parameters`.
pub fn is_within(path: &str, field: &str) -> bool {
    path.strip_prefix(field)
        .is_some_and(|rest| field.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value as Json, json};

    use super::*;

    fn whole() -> DatabaseSpec {
        let spec = json!({
            "version": 17, "sku": "Standard_B1ms", "storage": {"sizeGiB": 32, "tier": "P4", "autoGrow": true},
            "highAvailability": "Disabled", "backup": {"retentionDays": 7, "geoRedundant": false, "vault": "weekly"},
            "maintenanceWindow": {"day": "Sunday", "hour": 3}, "databaseName": "orders", "extensions": ["vector"],
            "parameters": {"work_mem": "8192"}, "authentication": "Identity", "serviceAccountName": "orders",
            "restoreFrom": {"database": "main", "serverId": "/s", "time": "2026-11-27T12:00:00Z"},
        });
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn the_table_has_the_fields_of_the_type_and_no_other() {
        let schema = serde_json::to_value(api::crd::all()).unwrap();
        let spec = schema[0].pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
        let below = |schema: &Json, group: &Field| {
            let of_type: Vec<String> = schema["properties"]
                .as_object()
                .map(|fields| fields.keys().cloned().collect())
                .unwrap_or_default();
            let mut rows: Vec<&str> = group.below().iter().map(|(name, _)| *name).collect();
            rows.sort_unstable();
            assert_eq!(rows, of_type, "below {:?}", group.path);
        };
        below(spec, &SPEC);
        for (name, field) in SPEC.below() {
            below(&spec["properties"][name], field);
        }
        assert!(
            FIELDS.iter().all(|field| field.judged_by.iter().all(|by| FIELDS.iter().any(|f| f.path == *by)))
        );
    }

    #[test]
    fn a_spec_is_the_sum_of_its_values() {
        let (whole, mut sum) = (whole(), DatabaseSpec::default());
        for (field, value) in values() {
            assert_eq!((value.text)(&sum), None, "{}", field.path);
            (value.copy)(&mut sum, &whole);
            assert!((value.text)(&sum).is_some(), "{}", field.path);
        }
        assert_eq!(sum, whole);
        for (_, value) in values() {
            (value.copy)(&mut sum, &DatabaseSpec::default());
        }
        assert!(values().all(|(_, value)| (value.text)(&sum).is_none()), "{sum:?}");
    }

    #[rstest]
    #[case::itself("storage", "storage", true)]
    #[case::below("storage.sizeGiB", "storage", true)]
    #[case::an_entry("parameters[\"a\"]", "parameters", true)]
    #[case::its_group("storage", "storage.sizeGiB", false)]
    #[case::a_longer_name("storage.sizeGiB", "storage.size", false)]
    #[case::of_all("version", "", true)]
    fn a_field_lies_within_its_group(#[case] path: &str, #[case] field: &str, #[case] within: bool) {
        assert_eq!(is_within(path, field), within);
    }
}
