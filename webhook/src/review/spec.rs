//! A spec, read field by field: of one that can't be read as a whole the rest still counts, and each mistake in it is shown.
//!
//! Which fields there are, [`policy::field`] says; what their values are, the type of the API.

use std::{borrow::Cow, fmt};

use api::DatabaseSpec;
use policy::{
    Code, Problem,
    field::{FIELDS, Field, Form, SPEC, is_within},
    quote::quote,
    suggest::{alternatives, did_you_mean},
};
use serde::{
    Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::sent::{Key, Raw};

/// As many unknown fields are shown in a group.
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
        is_within(field, self.field)
    }

    /// What is wrong with this field isn't known without the one that is lost.
    pub(super) fn hides(&self, path: &str) -> bool {
        let judged = FIELDS.iter().filter(|field| is_within(path, field.path));
        self.covers(path) || judged.flat_map(|field| field.judged_by).any(|by| self.covers(by))
    }
}

impl Read {
    /// What is left out, or null, is an empty one.
    pub(super) fn of(sent: Raw<'_>) -> Self {
        let mut reader = Reader::default();
        let spec = sent.and_then(|sent| reader.spec(sent)).unwrap_or_default();
        Self { spec, lost: reader.lost, unknown: reader.unknown }
    }
}

/// Fields with their values as they were sent, in the order of the table.
type Parts<'a> = Vec<(&'static str, &'static Field, Part<'a>)>;

/// What was sent for a field.
enum Part<'a> {
    Value(&'a RawValue),
    /// The fields below it.
    Fields(Parts<'a>),
}

/// Reads what it can, and notes the rest.
#[derive(Default)]
struct Reader {
    lost: Vec<Lost>,
    unknown: Vec<Problem>,
    /// Whether a field was sent twice, of which the last one counts.
    is_ambiguous: bool,
}

impl Reader {
    /// All at once where that can be, and else what can be read on its own.
    fn spec(&mut self, sent: &RawValue) -> Option<DatabaseSpec> {
        let parts = self.parts(&SPEC, sent)?;
        let is_whole = self.lost.is_empty() && !self.is_ambiguous;
        if let Some(spec) = is_whole.then(|| serde_json::from_str(sent.get()).ok()).flatten() {
            return Some(spec);
        }
        let kept = self.kept(&SPEC, parts)?;
        serde_json::from_str(&kept).map_err(|_| self.lose(&SPEC, &is(sent))).ok()
    }

    /// The values of the fields below one, none of which holds more than is built; what else stands there, nobody knows.
    fn parts<'a>(&mut self, group: &'static Field, sent: &'a RawValue) -> Option<Parts<'a>> {
        let below = group.below();
        let mut entries = Entries { below, values: vec![None; below.len()], ..Entries::default() };
        if serde_json::Deserializer::from_str(sent.get()).deserialize_map(&mut entries).is_err() {
            self.lose(group, &is(sent));
            return None;
        }
        self.is_ambiguous |= entries.is_ambiguous;
        for name in entries.unknown {
            self.unknown.push(unknown(group, &name));
        }
        let sent = below.iter().zip(entries.values);
        let parts =
            sent.filter_map(|((name, field), value)| Some((*name, *field, self.part(field, value?)?)));
        Some(parts.collect())
    }

    fn part<'a>(&mut self, field: &'static Field, sent: &'a RawValue) -> Option<Part<'a>> {
        let (most, what) = match field.form {
            Form::Fields | Form::AllFields => return self.parts(field, sent).map(Part::Fields),
            Form::Scalar | Form::Word(_) => return Some(Part::Value(sent)),
            Form::List { most, .. } => (most, "items"),
            Form::Map { most, .. } => (most, "entries"),
        };
        let mut count = 0;
        if !each(field.form, sent, |_, _| count += 1) {
            self.lose(field, &is(sent));
            return None;
        }
        // More are never built: as a tree they take many times what they take as text.
        if count > most {
            let text = format!("has {count} {what}, and {most} are the most; leave some out");
            self.lose_at(field, path_of(field), &text);
            return None;
        }
        Some(Part::Value(sent))
    }

    /// What can be read of the fields below one, as the map in which it was sent; `None` where a part of it means nothing.
    fn kept(&mut self, group: &'static Field, parts: Parts<'_>) -> Option<String> {
        let is_all_or_none = matches!(group.form, Form::AllFields) && !parts.is_empty();
        if is_all_or_none {
            for (_, field) in
                group.below().iter().filter(|(name, _)| parts.iter().all(|(sent, ..)| sent != name))
            {
                self.lose(field, "is missing beside the other half of the window");
            }
        }
        let mut kept = Vec::new();
        for (name, field, part) in parts {
            let value = match part {
                Part::Value(sent) => self.reads(field, sent).then(|| sent.get().to_owned()),
                Part::Fields(parts) => self.kept(field, parts),
            };
            kept.extend(value.map(|value| format!("\"{name}\":{value}")));
        }
        let is_half = is_all_or_none && kept.len() < group.below().len();
        (!is_half).then(|| format!("{{{}}}", kept.join(",")))
    }

    /// Whether the value can be read on its own; what is wrong with it is recorded.
    fn reads(&mut self, field: &'static Field, sent: &RawValue) -> bool {
        if is_read(field, sent.get()) {
            return true;
        }
        let before = self.lost.len();
        match field.form {
            Form::Word(words) => {
                let words = words();
                let text = serde_json::from_str::<Cow<'_, str>>(sent.get()).ok();
                let meant = text.and_then(|text| meant(&text, words.iter().map(String::as_str)));
                let (is, meant, known) = (is(sent), meant.unwrap_or_default(), alternatives(&words));
                let text = format!("{is} and no word that is known here; {meant}use {known}");
                self.lose_at(field, path_of(field), &text);
            }
            Form::List { write, .. } => {
                each(field.form, sent, |place, item| {
                    if !is_read(field, &format!("[{}]", item.get())) {
                        let path = format!("spec.{}[{place}]", field.path);
                        self.lose_at(field, path, &format!("{}; {write}", is(item)));
                    }
                });
            }
            Form::Map { write, .. } => {
                each(field.form, sent, |name, value| {
                    if !is_read(field, &format!("{{\"\":{}}}", value.get())) {
                        let path = format!("spec.{}[{}]", field.path, quote(&name));
                        self.lose_at(field, path, &format!("{}; {write}", is(value)));
                    }
                });
            }
            Form::Scalar | Form::Fields | Form::AllFields => {}
        }
        // What isn't reported would be taken for left out.
        if self.lost.len() == before {
            self.lose(field, &is(sent));
        }
        false
    }

    fn lose(&mut self, field: &Field, text: &str) {
        self.lose_at(field, path_of(field), &format!("{text}; {}", field.write));
    }

    fn lose_at(&mut self, field: &Field, path: String, text: &str) {
        let text = format!("{path} {text}");
        self.lost.push(Lost { field: field.path, problem: Problem { code: field.code, field: path, text } });
    }
}

/// From the root of the object.
fn path_of(field: &Field) -> String {
    let dot = if field.path.is_empty() { "" } else { "." };
    format!("spec{dot}{}", field.path)
}

/// A field that nobody knows among those of a group.
fn unknown(group: &Field, name: &str) -> Problem {
    let names: Vec<&str> = group.below().iter().map(|(name, _)| *name).collect();
    let shown = if is_plain(name) { name.to_owned() } else { quote(name) };
    let path = format!("{}.{shown}", path_of(group));
    let meant = meant(name, names.iter().copied()).unwrap_or_default();
    let text = format!("{path} is not a known field; {meant}use {}", names.join(", "));
    Problem { code: Code::Shape, field: path, text }
}

/// `did you mean X? `
fn meant<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    did_you_mean(written, known).map(|meant| format!("did you mean {meant}? "))
}

/// Whether the type of the API takes this value for the field, whatever stands beside it.
fn is_read(field: &Field, value: &str) -> bool {
    let steps = field.path.split('.');
    let within = |inner: String, step| format!("{{\"{step}\":{inner}}}");
    let text = steps.clone().rfold(value.to_owned(), within);
    let read: Result<DatabaseSpec, _> =
        serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text));
    // A mistake that lies above the field is that others are missing beside it.
    read.map_or_else(|error| error.path().iter().count() < steps.count(), |_| true)
}

/// Goes through the items of a list by their numbers, or the entries of a map by their names; `false` where it is neither.
fn each<'a>(form: Form, sent: &'a RawValue, found: impl FnMut(Cow<'a, str>, &'a RawValue)) -> bool {
    let mut deserializer = serde_json::Deserializer::from_str(sent.get());
    match form {
        Form::List { .. } => deserializer.deserialize_seq(Each(found)),
        _ => deserializer.deserialize_map(Each(found)),
    }
    .is_ok()
}

/// What is to be done with each item of a list, or each entry of a map.
pub(super) struct Each<F>(pub(super) F);

impl<'a, F: FnMut(Cow<'a, str>, &'a RawValue)> Visitor<'a> for Each<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list or a map")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0_usize;
        while let Some(item) = seq.next_element()? {
            (self.0)(index.to_string().into(), item);
            index += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(name)) = map.next_key()? {
            (self.0)(name, map.next_value()?);
        }
        Ok(())
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

/// The entries of a group.
#[derive(Default)]
struct Entries<'a> {
    below: &'static [(&'static str, &'static Field)],
    values: Vec<Raw<'a>>,
    unknown: Vec<String>,
    /// One of them was sent twice.
    is_ambiguous: bool,
}

impl<'a> Visitor<'a> for &mut Entries<'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of fields")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key::<Key<'a>>()? {
            if let Some(index) = self.below.iter().position(|(name, _)| *name == key) {
                self.is_ambiguous |= self.values[index].is_some();
                self.values[index] = map.next_value()?;
                continue;
            }
            map.next_value::<IgnoredAny>()?;
            if self.unknown.len() < UNKNOWN {
                self.unknown.push(key.into_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;
    use serde_json::{Value, json, value::to_raw_value};

    use super::*;

    fn read(spec: &Value) -> Read {
        Read::of(Some(&to_raw_value(spec).unwrap()))
    }

    fn whole() -> Value {
        json!({
            "version": 17, "sku": "Standard_B1ms", "storage": {"sizeGiB": 32, "tier": "P4", "autoGrow": true},
            "highAvailability": "Disabled", "backup": {"retentionDays": 7, "geoRedundant": false, "vault": "weekly"},
            "maintenanceWindow": {"day": "Sunday", "hour": 3}, "databaseName": "orders", "extensions": ["vector"],
            "parameters": {"work_mem": "8192"}, "authentication": "Identity", "serviceAccountName": "orders",
            "restoreFrom": {"database": "main", "serverId": "/s", "time": "2026-11-27T12:00:00Z"},
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
    fn every_field_can_be_lost_by_itself_and_the_rest_is_there() {
        assert!(read(&whole()).unknown.is_empty());
        for field in FIELDS.iter().filter(|field| field.below().is_empty()) {
            // A map of maps is no value of any field.
            let mut broken = whole();
            let place = format!("/{}", field.path.replace('.', "/"));
            *broken.pointer_mut(&place).expect(field.path) = json!({"a": {}});
            let read = read(&broken);
            assert_eq!(read.lost.iter().map(|lost| lost.field).collect::<Vec<_>>(), [field.path]);
            // A window is there as a whole or not at all.
            let without = field.path.split_once('.').filter(|(group, _)| *group == "maintenanceWindow");
            let place = without.map_or(place, |(group, _)| format!("/{group}"));
            let mut rest = whole();
            *rest.pointer_mut(&place).unwrap() = Value::Null;
            assert_eq!(read.spec, serde_json::from_value(rest).unwrap(), "{}", field.path);
        }
    }

    /// The API server sends no field twice; who does is not given more than it sends.
    #[test]
    fn of_a_field_that_is_sent_twice_the_last_one_counts() {
        let names = vec!["\"vector\""; 10_000].join(",");
        let sent =
            format!("{{\"extensions\":[{names}],\"extensions\":[\"hstore\"],\"sku\":5,\"sku\":\"a\"}}");
        let read = Read::of(Some(&RawValue::from_string(sent).unwrap()));
        assert!(read.lost.is_empty(), "{:?}", read.lost);
        assert_eq!(
            (read.spec.extensions, read.spec.sku.as_deref()),
            (Some(vec!["hstore".to_owned()]), Some("a"))
        );
    }

    #[rstest]
    #[case::field(json!({"highAvailability": "Sideways"}), "highAvailability")]
    #[case::field_of_a_group(json!({"storage": {"sizeGiB": "64Gi", "tier": "P4"}}), "storage.sizeGiB")]
    #[case::group(json!({"backup": 7}), "backup")]
    #[case::half_a_window(json!({"maintenanceWindow": {"day": "Sunday"}}), "maintenanceWindow.hour")]
    #[case::item(json!({"extensions": ["vector", 1]}), "extensions")]
    #[case::value(json!({"parameters": {"work_mem": []}}), "parameters")]
    #[case::too_many_extensions(json!({"extensions": vec!["vector"; 65]}), "extensions")]
    #[case::too_many_parameters(
        json!({"parameters": (0..=256).map(|n| (n.to_string(), "")).collect::<BTreeMap<_, _>>()}),
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
