//! A spec, read field by field: of one that can't be read as a whole the rest still counts, and each mistake in it is told.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use api::{
    Authentication, Backup, DatabaseSpec, Day, HighAvailability, MaintenanceWindow, Storage, StorageTier,
    written::Scalar,
};
use policy::{
    Code, Problem,
    quote::quote,
    suggest::{alternatives, did_you_mean},
};
use serde::{
    Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::sent::{Key, Raw};

/// More are never built: as a tree they take many times what they take as text.
const EXTENSIONS: usize = 64;
const PARAMETERS: usize = 256;
/// As many fields that nobody knows are told of in a group.
const UNKNOWN: usize = 8;

/// What can be read of a spec.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) spec: DatabaseSpec,
    pub(super) lost: Vec<Lost>,
    /// Fields that nobody knows.
    pub(super) unknown: Vec<Problem>,
}

/// A field that has a value which can't be read.
#[derive(Debug)]
pub(super) struct Lost {
    /// Path below `spec`; empty for all of it.
    field: &'static str,
    pub(super) problem: Problem,
}

impl Lost {
    /// The value of this field is lost, too.
    pub(super) fn covers(&self, field: &str) -> bool {
        field
            .strip_prefix(self.field)
            .is_some_and(|rest| self.field.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
    }

    /// What is wrong with this field can't be told without the one that is lost.
    pub(super) fn hides(&self, field: &str) -> bool {
        self.covers(field)
            || DEPENDENT.iter().any(|(on, dependent)| self.covers(on) && is_below(field, dependent))
    }
}

fn is_below(field: &str, group: &str) -> bool {
    field.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Fields, with those that are judged by them.
const DEPENDENT: &[(&str, &str)] = &[
    ("sku", "highAvailability"),
    ("sku", "parameters"),
    ("storage.sizeGiB", "storage.tier"),
    ("version", "extensions"),
    ("version", "parameters"),
    ("extensions", "parameters"),
];

/// A field: its path below `spec`, the code of a value that can't be read, and what to write.
struct Field {
    path: &'static str,
    code: Code,
    write: &'static str,
}

const fn field(path: &'static str, code: Code, write: &'static str) -> Field {
    Field { path, code, write }
}

const SPEC: Field =
    field("", Code::Shape, "write fields below it, such as sku: Standard_B1ms, or leave it out");
const VERSION: Field =
    field("version", Code::VersionOutOfSupport, "write a major version of PostgreSQL alone, such as 17");
const SKU: Field = field("sku", Code::SkuUnknown, "write Azure's name of a size, such as Standard_B1ms");
const STORAGE: Field = field("storage", Code::StorageSize, "write fields below it, such as sizeGiB: 64");
const SIZE_GIB: Field = field(
    "storage.sizeGiB",
    Code::StorageSize,
    "write a whole number of GiB without quotes and without a unit, such as 64",
);
const TIER: Field = field("storage.tier", Code::StorageTier, "write a tier, such as P10");
const AUTO_GROW: Field = field("storage.autoGrow", Code::Shape, "write true or false, without quotes");
const HIGH_AVAILABILITY: Field =
    field("highAvailability", Code::HighAvailability, "write a word, such as ZoneRedundant");
const BACKUP: Field = field("backup", Code::Backup, "write fields below it, such as retentionDays: 14");
const RETENTION_DAYS: Field =
    field("backup.retentionDays", Code::Backup, "write a whole number of days without quotes, such as 14");
const GEO_REDUNDANT: Field =
    field("backup.geoRedundant", Code::Backup, "write true or false, without quotes");
const WINDOW: Field = field(
    "maintenanceWindow",
    Code::MaintenanceWindow,
    "write day and hour below it, such as {day: Sunday, hour: 3}",
);
const DAY: Field =
    field("maintenanceWindow.day", Code::MaintenanceWindow, "write a day of the week, such as Sunday");
const HOUR: Field =
    field("maintenanceWindow.hour", Code::MaintenanceWindow, "write an hour from 0 to 23, without quotes");
const DATABASE_NAME: Field =
    field("databaseName", Code::Name, "write a name, in quotes if it looks like a number or a word of YAML");
const EXTENSIONS_LIST: Field =
    field("extensions", Code::Extension, "write a list of names, such as [pgcrypto, vector]");
const EXTENSION: Field =
    field("extensions", Code::Extension, "write a name, such as vector, or leave it out");
const PARAMETERS_MAP: Field =
    field("parameters", Code::Parameter, "write names with values below it, such as work_mem: 16384");
const AUTHENTICATION: Field = field("authentication", Code::Authentication, "write a word, such as Identity");
const SERVICE_ACCOUNT_NAME: Field = field(
    "serviceAccountName",
    Code::Name,
    "write a name, in quotes if it looks like a number or a word of YAML",
);

impl Read {
    /// What is left out, or null, is an empty one.
    pub(super) fn of(sent: Raw<'_>) -> Self {
        let mut reader = Reader::default();
        let spec = reader.spec(sent).unwrap_or_default();
        Self { spec, lost: reader.lost, unknown: reader.unknown }
    }
}

/// Reads what it can, and notes the rest.
#[derive(Default)]
struct Reader {
    lost: Vec<Lost>,
    unknown: Vec<Problem>,
}

impl Reader {
    fn spec(&mut self, sent: Raw<'_>) -> Option<DatabaseSpec> {
        let [
            version,
            sku,
            storage,
            high_availability,
            backup,
            maintenance_window,
            database_name,
            extensions,
            parameters,
            authentication,
            service_account_name,
        ] = self.group(
            &SPEC,
            sent,
            [
                "version",
                "sku",
                "storage",
                "highAvailability",
                "backup",
                "maintenanceWindow",
                "databaseName",
                "extensions",
                "parameters",
                "authentication",
                "serviceAccountName",
            ],
        )?;
        Some(DatabaseSpec {
            version: self.value::<Scalar>(&VERSION, version).map(Scalar::into_version),
            sku: self.value(&SKU, sku),
            storage: self.storage(storage),
            high_availability: self.word(&HIGH_AVAILABILITY, high_availability, HighAvailability::ALL),
            backup: self.backup(backup),
            maintenance_window: self.window(maintenance_window),
            database_name: self.value(&DATABASE_NAME, database_name),
            extensions: self.extensions(extensions),
            parameters: self.parameters(parameters),
            authentication: self.word(&AUTHENTICATION, authentication, Authentication::ALL),
            service_account_name: self.value(&SERVICE_ACCOUNT_NAME, service_account_name),
        })
    }

    fn storage(&mut self, sent: Raw<'_>) -> Option<Storage> {
        let [size_gib, tier, auto_grow] = self.group(&STORAGE, sent, ["sizeGiB", "tier", "autoGrow"])?;
        Some(Storage {
            size_gib: self.value(&SIZE_GIB, size_gib),
            tier: self.word(&TIER, tier, StorageTier::ALL),
            auto_grow: self.value(&AUTO_GROW, auto_grow),
        })
    }

    fn backup(&mut self, sent: Raw<'_>) -> Option<Backup> {
        let [retention_days, geo_redundant] = self.group(&BACKUP, sent, ["retentionDays", "geoRedundant"])?;
        Some(Backup {
            retention_days: self.value(&RETENTION_DAYS, retention_days),
            geo_redundant: self.value(&GEO_REDUNDANT, geo_redundant),
        })
    }

    /// Nothing but nulls in it is as left out; a half of it is a mistake.
    fn window(&mut self, sent: Raw<'_>) -> Option<MaintenanceWindow> {
        let [day, hour] = self.group(&WINDOW, sent, ["day", "hour"])?;
        if day.is_none() && hour.is_none() {
            return None;
        }
        for (half, field) in [(day, &DAY), (hour, &HOUR)] {
            if half.is_none() {
                self.lose(field, "is missing beside the other half of the window");
            }
        }
        let (day, hour) = (self.word(&DAY, day, Day::ALL), self.value(&HOUR, hour));
        Some(MaintenanceWindow { day: day?, hour: hour? })
    }
}

impl Reader {
    fn lose(&mut self, field: &Field, text: &str) {
        let dot = if field.path.is_empty() { "" } else { "." };
        self.lose_at(field, format!("spec{dot}{}", field.path), text);
    }

    /// A list that is too long.
    fn lose_some(&mut self, field: &Field, text: &str) {
        let path = format!("spec.{}", field.path);
        let text = format!("{path} {text}; leave some out");
        self.lost.push(Lost { field: field.path, problem: Problem { code: field.code, field: path, text } });
    }

    fn lose_at(&mut self, field: &Field, path: String, text: &str) {
        let text = format!("{path} {text}; {}", field.write);
        self.lost.push(Lost { field: field.path, problem: Problem { code: field.code, field: path, text } });
    }

    fn value<T: DeserializeOwned>(&mut self, field: &Field, sent: Raw<'_>) -> Option<T> {
        let sent = sent?;
        let read = serde_json::from_str(sent.get()).ok();
        if read.is_none() {
            self.lose(field, &is(sent));
        }
        read
    }

    /// One of a few words.
    fn word<T: Copy + DeserializeOwned + fmt::Display>(
        &mut self,
        field: &Field,
        sent: Raw<'_>,
        all: &[T],
    ) -> Option<T> {
        let sent = sent?;
        if let Ok(word) = serde_json::from_str(sent.get()) {
            return Some(word);
        }
        let words: Vec<String> = all.iter().map(ToString::to_string).collect();
        let text = serde_json::from_str::<Cow<'_, str>>(sent.get()).ok();
        let meant = text.as_ref().and_then(|text| did_you_mean(text, words.iter().map(String::as_str)));
        let meant = meant.map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
        let path = format!("spec.{}", field.path);
        let known = alternatives(&words);
        let text = format!("{path} {} and no word that is known here; {meant}use {known}", is(sent));
        self.lost.push(Lost { field: field.path, problem: Problem { code: field.code, field: path, text } });
        None
    }

    /// The values of fields below one; what else stands there, nobody knows.
    fn group<'a, const N: usize>(
        &mut self,
        field: &Field,
        sent: Raw<'a>,
        names: [&str; N],
    ) -> Option<[Raw<'a>; N]> {
        let sent = sent?;
        let mut group = Group { names: &names, values: [None; N], unknown: Vec::new() };
        if serde_json::Deserializer::from_str(sent.get()).deserialize_map(&mut group).is_err() {
            self.lose(field, &is(sent));
            return None;
        }
        let dot = if field.path.is_empty() { "" } else { "." };
        for name in group.unknown {
            let shown = if is_plain(&name) { name.clone() } else { quote(&name) };
            let path = format!("spec{dot}{}.{shown}", field.path);
            let meant = did_you_mean(&name, names.iter().copied());
            let meant = meant.map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
            let text = format!("{path} is no field that is known; {meant}use {}", names.join(", "));
            self.unknown.push(Problem { code: Code::Shape, field: path, text });
        }
        Some(group.values)
    }

    fn extensions(&mut self, sent: Raw<'_>) -> Option<Vec<String>> {
        let sent = sent?;
        let mut items = Items::default();
        if serde_json::Deserializer::from_str(sent.get()).deserialize_seq(&mut items).is_err() {
            self.lose(&EXTENSIONS_LIST, &is(sent));
            return None;
        }
        if items.count > EXTENSIONS {
            self.lose_some(
                &EXTENSIONS_LIST,
                &format!("has {} items, and {EXTENSIONS} are the most", items.count),
            );
            return None;
        }
        let is_whole = items.wrong.is_empty();
        for (index, what) in items.wrong {
            self.lose_at(&EXTENSION, format!("spec.extensions[{index}]"), &what);
        }
        is_whole.then_some(items.names)
    }

    fn parameters(&mut self, sent: Raw<'_>) -> Option<BTreeMap<String, String>> {
        let sent = sent?;
        let mut entries = Entries::default();
        if serde_json::Deserializer::from_str(sent.get()).deserialize_map(&mut entries).is_err() {
            self.lose(&PARAMETERS_MAP, &is(sent));
            return None;
        }
        if entries.count > PARAMETERS {
            self.lose_some(
                &PARAMETERS_MAP,
                &format!("has {} entries, and {PARAMETERS} are the most", entries.count),
            );
            return None;
        }
        let is_whole = entries.wrong.is_empty();
        for (name, what) in entries.wrong {
            let path = format!("spec.parameters[{}]", quote(&name));
            let text = format!("{path} {what}; write a text, a number, on or off");
            let problem = Problem { code: Code::Parameter, field: path, text };
            self.lost.push(Lost { field: PARAMETERS_MAP.path, problem });
        }
        is_whole.then_some(entries.values)
    }
}

/// A name that can stand in a path as it is.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What a value is, in the words of who wrote it.
fn is(sent: &RawValue) -> String {
    let text = sent.get();
    match text.as_bytes().first() {
        Some(b'[') => "is a list".to_owned(),
        Some(b'{') => "is a map of fields".to_owned(),
        Some(b'"') => {
            let read = serde_json::from_str::<Cow<'_, str>>(text).unwrap_or_default();
            format!("is the text {}", quote(&read))
        }
        Some(b't' | b'f' | b'n') => format!("is {text}"),
        _ => format!("is the number {}", quote(text).trim_matches('"')),
    }
}

/// Fields of a group, by their names.
struct Group<'n, 'a, const N: usize> {
    names: &'n [&'n str; N],
    values: [Raw<'a>; N],
    unknown: Vec<String>,
}

impl<'a, const N: usize> Visitor<'a> for &mut Group<'_, 'a, N> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of fields")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key<'a>>()? {
            if let Some(index) = self.names.iter().position(|name| *name == key.0) {
                self.values[index] = map.next_value()?;
                continue;
            }
            map.next_value::<IgnoredAny>()?;
            if self.unknown.len() < UNKNOWN {
                self.unknown.push(key.0.into_owned());
            }
        }
        Ok(())
    }
}

/// Items of a list of names, as many as there may be.
#[derive(Default)]
struct Items {
    count: usize,
    names: Vec<String>,
    wrong: Vec<(usize, String)>,
}

impl<'a> Visitor<'a> for &mut Items {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of names")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element::<&RawValue>()? {
            let index = self.count;
            self.count += 1;
            if index >= EXTENSIONS {
                continue;
            }
            match serde_json::from_str(item.get()) {
                Ok(name) => self.names.push(name),
                Err(_) => self.wrong.push((index, is(item))),
            }
        }
        Ok(())
    }
}

/// Parameters with their values, as many as there may be.
#[derive(Default)]
struct Entries {
    count: usize,
    values: BTreeMap<String, String>,
    wrong: Vec<(String, String)>,
}

impl<'a> Visitor<'a> for &mut Entries {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of parameters")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key<'a>>()? {
            let value = map.next_value::<&RawValue>()?;
            self.count += 1;
            if self.count > PARAMETERS {
                continue;
            }
            match serde_json::from_str::<Option<Scalar>>(value.get()) {
                Ok(Some(value)) => drop(self.values.insert(key.0.into_owned(), value.into_parameter())),
                // As left out.
                Ok(None) => {}
                Err(_) => self.wrong.push((key.0.into_owned(), is(value))),
            }
        }
        Ok(())
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

    /// What one of them reads otherwise, webhook and controller would judge otherwise.
    #[rstest]
    #[case::whole(whole())]
    #[case::empty(json!({}))]
    #[case::nothing_in_it(json!({"storage": {}, "backup": {}, "maintenanceWindow": {}, "extensions": [], "parameters": {}}))]
    #[case::nulls(json!({"storage": null, "sku": null, "backup": {"geoRedundant": null}, "parameters": {"a": null}}))]
    #[case::scalars(json!({"version": 99_999_999_999_u64, "parameters": {"a": true, "b": 0.5, "c": -1, "d": u64::MAX}}))]
    #[case::versions(json!({"version": false}))]
    #[case::what_nobody_knows(json!({"size": "large"}))]
    fn it_reads_what_the_type_of_the_api_reads(#[case] spec: Value) {
        let expected: DatabaseSpec = serde_json::from_value(spec.clone()).unwrap();
        let read = read(&spec);
        assert!(read.lost.is_empty(), "{:?}", read.lost);
        assert_eq!(read.spec, expected);
    }

    #[test]
    fn the_whole_spec_has_every_field() {
        let schema = serde_json::to_value(api::crd::all()).unwrap();
        let fields =
            schema[0].pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap();
        let named = |fields: &Value| fields.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(named(&whole()), named(fields));
        for group in ["storage", "backup", "maintenanceWindow"] {
            assert_eq!(named(&whole()[group]), named(&fields[group]["properties"]));
        }
        assert!(read(&whole()).unknown.is_empty());
    }

    #[rstest]
    #[case::field(json!({"highAvailability": "Sideways"}), "highAvailability")]
    #[case::field_of_a_group(json!({"storage": {"sizeGiB": "64Gi", "tier": "P4"}}), "storage.sizeGiB")]
    #[case::group(json!({"backup": 7}), "backup")]
    #[case::half_a_window(json!({"maintenanceWindow": {"day": "Sunday"}}), "maintenanceWindow.hour")]
    #[case::item(json!({"extensions": ["vector", 1]}), "extensions")]
    #[case::value(json!({"parameters": {"work_mem": []}}), "parameters")]
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
        let why = &read.lost[0].problem.text;
        assert!(why.starts_with(&format!("spec.{lost}")), "{why}");
    }

    #[test]
    fn of_what_is_no_spec_all_is_lost_and_one_that_is_left_out_is_empty() {
        let lost = read(&json!("large"));
        assert_eq!(lost.spec, DatabaseSpec::default());
        assert!(lost.lost[0].covers("version") && lost.lost[0].covers("storage.sizeGiB"));
        let none = Read::of(None);
        assert_eq!((none.spec, none.lost.len()), (DatabaseSpec::default(), 0));
    }

    #[test]
    fn of_the_fields_that_nobody_knows_a_few_are_told() {
        let many: BTreeMap<String, u8> = (0..1000).map(|n| (format!("field{n}"), 0)).collect();
        assert_eq!(read(&json!(many)).unknown.len(), UNKNOWN);
    }

    #[rstest]
    #[case::itself("storage.sizeGiB", true)]
    #[case::its_group("storage", true)]
    #[case::its_neighbour("storage.tier", false)]
    #[case::a_longer_name("storage.size", false)]
    fn a_field_is_lost_with_its_group(#[case] field: &'static str, #[case] covers: bool) {
        assert_eq!(lost(field).covers("storage.sizeGiB"), covers);
    }

    fn lost(field: &'static str) -> Lost {
        Lost { field, problem: Problem { code: Code::Shape, field: String::new(), text: String::new() } }
    }

    #[rstest]
    #[case::itself("sku", "sku", true)]
    #[case::what_goes_by_it("sku", "highAvailability", true)]
    #[case::an_entry_of_what_goes_by_it("extensions", "parameters[\"pgaudit.log\"]", true)]
    #[case::another("sku", "version", false)]
    #[case::the_other_way_round("highAvailability", "sku", false)]
    #[case::by_its_group("storage", "storage.tier", true)]
    fn what_goes_by_a_lost_field_is_not_told(
        #[case] field: &'static str,
        #[case] other: &str,
        #[case] hides: bool,
    ) {
        assert_eq!(lost(field).hides(other), hides);
    }
}
