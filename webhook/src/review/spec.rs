//! A spec, read field by field: of one that can't be read as a whole, as after a change of the CRD, the rest still counts.

use std::{collections::BTreeMap, fmt};

use api::{Backup, DatabaseSpec, Storage};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor},
};

use super::sent::Raw;

/// As many as the schema allows. More are never built: as a tree they take many times what they take as text.
const EXTENSIONS: usize = 64;
const PARAMETERS: usize = 256;

/// What can be read of a spec.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) spec: DatabaseSpec,
    pub(super) lost: Vec<Lost>,
}

/// A field that has a value which can't be read.
#[derive(Debug)]
pub(super) struct Lost {
    /// Path below `spec`; empty for all of it.
    field: &'static str,
    why: String,
}

impl Lost {
    /// The value of this field is lost, too.
    pub(super) fn covers(&self, field: &str) -> bool {
        field
            .strip_prefix(self.field)
            .is_some_and(|rest| self.field.is_empty() || rest.is_empty() || rest.starts_with('.'))
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.field.is_empty() { "" } else { "." };
        write!(f, "spec{dot}{}: {}", self.field, self.why)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    version: Raw<'a>,
    #[serde(borrow)]
    sku: Raw<'a>,
    #[serde(borrow)]
    storage: Raw<'a>,
    #[serde(borrow)]
    high_availability: Raw<'a>,
    #[serde(borrow)]
    backup: Raw<'a>,
    #[serde(borrow)]
    maintenance_window: Raw<'a>,
    #[serde(borrow)]
    database_name: Raw<'a>,
    #[serde(borrow)]
    extensions: Raw<'a>,
    #[serde(borrow)]
    parameters: Raw<'a>,
    #[serde(borrow)]
    authentication: Raw<'a>,
    #[serde(borrow)]
    service_account_name: Raw<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StorageFields<'a> {
    #[serde(borrow, rename = "sizeGiB")]
    size_gib: Raw<'a>,
    #[serde(borrow)]
    tier: Raw<'a>,
    #[serde(borrow)]
    auto_grow: Raw<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BackupFields<'a> {
    #[serde(borrow)]
    retention_days: Raw<'a>,
    #[serde(borrow)]
    geo_redundant: Raw<'a>,
}

impl Read {
    pub(super) fn of(sent: Raw<'_>) -> Self {
        let mut lost = Lossy::default();
        let Some(text) = sent else {
            lost.note("", "it is missing");
            return Self { spec: DatabaseSpec::default(), lost: lost.0 };
        };
        let fields: Fields<'_> = lost.read("", Some(text), serde_json::from_str).unwrap_or_default();
        let spec = DatabaseSpec {
            version: lost.value("version", fields.version),
            sku: lost.value("sku", fields.sku),
            storage: lost.storage(fields.storage),
            high_availability: lost.value("highAvailability", fields.high_availability),
            backup: lost.backup(fields.backup),
            maintenance_window: lost.value("maintenanceWindow", fields.maintenance_window),
            database_name: lost.value("databaseName", fields.database_name),
            extensions: lost.read("extensions", fields.extensions, extensions),
            parameters: lost.read("parameters", fields.parameters, parameters),
            authentication: lost.value("authentication", fields.authentication),
            service_account_name: lost.value("serviceAccountName", fields.service_account_name),
        };
        Self { spec, lost: lost.0 }
    }

    /// The spec, or what is wrong with it.
    pub(super) fn whole(self) -> Result<DatabaseSpec, String> {
        self.lost.first().map_or(Ok(self.spec), |lost| Err(lost.to_string()))
    }
}

/// Reads what it can, and notes the rest.
#[derive(Default)]
struct Lossy(Vec<Lost>);

impl Lossy {
    fn note(&mut self, field: &'static str, why: impl fmt::Display) {
        self.0.push(Lost { field, why: why.to_string() });
    }

    fn read<'a, T>(
        &mut self,
        field: &'static str,
        sent: Raw<'a>,
        read: fn(&'a str) -> serde_json::Result<T>,
    ) -> Option<T> {
        read(sent?.get()).map_err(|error| self.note(field, error)).ok()
    }

    fn value<T: DeserializeOwned>(&mut self, field: &'static str, sent: Raw<'_>) -> Option<T> {
        self.read(field, sent, serde_json::from_str)
    }

    fn storage(&mut self, sent: Raw<'_>) -> Option<Storage> {
        let fields: StorageFields<'_> = self.read("storage", sent, serde_json::from_str)?;
        Some(Storage {
            size_gib: self.value("storage.sizeGiB", fields.size_gib),
            tier: self.value("storage.tier", fields.tier),
            auto_grow: self.value("storage.autoGrow", fields.auto_grow),
        })
    }

    fn backup(&mut self, sent: Raw<'_>) -> Option<Backup> {
        let fields: BackupFields<'_> = self.read("backup", sent, serde_json::from_str)?;
        Some(Backup {
            retention_days: self.value("backup.retentionDays", fields.retention_days),
            geo_redundant: self.value("backup.geoRedundant", fields.geo_redundant),
        })
    }
}

fn extensions(text: &str) -> serde_json::Result<Vec<String>> {
    serde_json::Deserializer::from_str(text).deserialize_seq(Extensions)
}

fn parameters(text: &str) -> serde_json::Result<BTreeMap<String, String>> {
    serde_json::Deserializer::from_str(text).deserialize_map(Parameters)
}

struct Extensions;

impl<'de> Visitor<'de> for Extensions {
    type Value = Vec<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of extensions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(name) = seq.next_element()? {
            if list.len() == EXTENSIONS {
                return Err(A::Error::custom(format!("it has more than {EXTENSIONS} items")));
            }
            list.push(name);
        }
        Ok(list)
    }
}

struct Parameters;

impl<'de> Visitor<'de> for Parameters {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of parameters")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut parameters = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            if parameters.len() == PARAMETERS {
                return Err(A::Error::custom(format!("it has more than {PARAMETERS} entries")));
            }
            parameters.insert(name, value);
        }
        Ok(parameters)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;

    fn read(spec: &Value) -> Read {
        Read::of(Some(&to_raw_value(spec).unwrap()))
    }

    fn whole() -> Value {
        json!({
            "version": 17, "sku": "Standard_B1ms", "storage": {"sizeGiB": 32, "tier": "P4", "autoGrow": true},
            "highAvailability": "Disabled", "backup": {"retentionDays": 7, "geoRedundant": false},
            "maintenanceWindow": {"day": "Sunday", "hour": 3}, "databaseName": "orders", "extensions": ["vector"],
            "parameters": {"work_mem": "8192"}, "authentication": "Identity", "serviceAccountName": "orders",
        })
    }

    #[rstest]
    #[case::whole(whole())]
    #[case::empty(json!({}))]
    #[case::nothing_in_it(json!({"storage": {}, "backup": {}, "extensions": [], "parameters": {}}))]
    #[case::nulls(json!({"storage": null, "sku": null, "backup": {"geoRedundant": null}}))]
    #[case::what_nobody_knows(json!({"size": "large"}))]
    fn it_reads_what_the_type_of_the_api_reads(#[case] spec: Value) {
        let expected: DatabaseSpec = serde_json::from_value(spec.clone()).unwrap();
        assert_eq!(read(&spec).whole().unwrap(), expected);
    }

    #[test]
    fn the_whole_spec_has_every_field() {
        let schema = serde_json::to_value(api::crd::all()).unwrap();
        let fields =
            schema[0].pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap();
        let named = |fields: &Value| fields.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(named(&whole()), named(fields));
        for group in ["storage", "backup"] {
            assert_eq!(named(&whole()[group]), named(&fields[group]["properties"]));
        }
    }

    #[rstest]
    #[case::field(json!({"highAvailability": "Sideways"}), "highAvailability")]
    #[case::field_of_a_group(json!({"storage": {"sizeGiB": "64Gi", "tier": "P4"}}), "storage.sizeGiB")]
    #[case::group(json!({"backup": 7}), "backup")]
    #[case::half_a_window(json!({"maintenanceWindow": {"day": "Sunday"}}), "maintenanceWindow")]
    #[case::item(json!({"extensions": ["vector", 1]}), "extensions")]
    #[case::too_many_extensions(json!({"extensions": vec!["vector"; EXTENSIONS + 1]}), "extensions")]
    #[case::too_many_parameters(
        json!({"parameters": (0..=PARAMETERS).map(|n| (n.to_string(), "")).collect::<BTreeMap<_, _>>()}),
        "parameters"
    )]
    fn what_can_not_be_read_is_named_and_the_rest_is_there(#[case] change: Value, #[case] lost: &str) {
        let mut spec = whole();
        for (field, value) in change.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let read = read(&spec);
        assert_eq!(read.lost.iter().map(|lost| lost.field).collect::<Vec<_>>(), [lost]);
        assert_eq!((read.spec.sku.as_deref(), read.spec.version.is_some()), (Some("Standard_B1ms"), true));
        let why = read.whole().unwrap_err();
        assert!(why.starts_with(&format!("spec.{lost}: ")), "{why}");
    }

    #[rstest]
    #[case::missing(None)]
    #[case::text(Some(json!("large")))]
    fn of_what_is_no_spec_all_is_lost(#[case] spec: Option<Value>) {
        let spec = spec.map(|spec| to_raw_value(&spec).unwrap());
        let read = Read::of(spec.as_deref());
        assert_eq!(read.spec, DatabaseSpec::default());
        assert!(read.lost[0].covers("version") && read.lost[0].covers("storage.sizeGiB"));
    }

    #[rstest]
    #[case::itself("storage.sizeGiB", true)]
    #[case::its_group("storage", true)]
    #[case::its_neighbour("storage.tier", false)]
    #[case::a_longer_name("storage.size", false)]
    fn a_field_is_lost_with_its_group(#[case] field: &'static str, #[case] covers: bool) {
        assert_eq!(Lost { field, why: String::new() }.covers("storage.sizeGiB"), covers);
    }
}
