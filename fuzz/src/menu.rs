//! Bytes that choose: raw bytes hardly ever make an object that gets past the parsers, let alone one that rules
//! disagree about.

use arbitrary::Unstructured;
use serde_json::{Map, Value, json};

/// Texts that have been somebody's trouble, in any field.
const TEXTS: &[&str] = &[
    "",
    "main",
    "orders",
    "orders-prod",
    "Retain",
    "Destroy",
    "14d",
    "deny",
    "17",
    "Standard_B1ms",
    "immutable",
    "map[a:b]",
    "two\nlines",
    "\u{202e}\u{7f}\t",
    "a.b",
    "null",
    "\"",
];

const SKUS: &[&str] = &[
    "Standard_B1ms",
    "standard_b2S",
    "Standard_D2ds_v5",
    "Standard_E4ds_v5",
    "Standard_D96ads_v5",
    "banana",
];
const PARAMETERS: &[&str] =
    &["work_mem", "max_connections", "shared_preload_libraries", "ssl", "ssl_min_protocol_version", "x"];
const VALUES: &[&str] = &["8192", "100", "on", "off", "-1", "pg_cron,vector", "1e9"];
const EXTENSIONS: &[&str] = &["pgcrypto", "PGCRYPTO", "vector", "pg_stat_statements", "postgis", "banana"];
const RETENTIONS: &[&str] = &["Retain", "retain", "Destroy", "Destroy ", "14d", "3d", "0d", "014d", "3651d"];
const CONFIRMATIONS: &[&str] =
    &["orders/main@2026-11-23", "orders/main@2026-11-21", "orders/main@2027-11-23", "a/b@2026-11-23", "@"];
/// The policies here allow the first one.
const RECOVERIES: &[&str] = &["reports/old", "orders/main", "orders", "immutable/x", ""];

const DEFAULTED: &[&str] = &[
    "sku=Standard_B1ms@default",
    "sku=Standard_B1ms@default,storage.sizeGiB=32@default,version=17@default",
    "version=17@production,highAvailability=ZoneRedundant@production",
    "sku=banana@x,=,@",
];

/// Takes what it needs from the bytes, and zeros when they are used up.
#[derive(Debug)]
pub struct Menu<'a>(Unstructured<'a>);

impl<'a> Menu<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    pub fn number(&mut self, below: usize) -> usize {
        self.0.int_in_range(0..=below - 1).unwrap_or_default()
    }

    pub fn one<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.number(choices.len())]
    }

    /// Once in so many times; never when the bytes are used up.
    pub fn rarely(&mut self, times: usize) -> bool {
        self.number(times) == 1
    }

    /// Whatever text the bytes make, up to a length that no field takes.
    pub fn any_text(&mut self) -> String {
        let text: String = self.0.arbitrary().unwrap_or_default();
        if self.rarely(8) { text.repeat(200).chars().take(3000).collect() } else { text }
    }

    /// Mostly one of these, sometimes trouble.
    pub fn text(&mut self, usual: &[&str]) -> String {
        match self.number(8) {
            6 => self.one(TEXTS).to_owned(),
            7 => self.any_text(),
            _ => self.one(usual).to_owned(),
        }
    }

    /// One of these texts as the bytes choose, or none.
    pub fn maybe(&mut self, usual: &[&str]) -> Option<String> {
        (self.number(3) > 0).then(|| self.text(usual))
    }

    /// Mostly one of these, sometimes any.
    fn integer(&mut self, usual: &[i64]) -> Value {
        if self.rarely(6) {
            json!(self.0.arbitrary::<i64>().unwrap_or_default())
        } else {
            json!(self.one(usual))
        }
    }

    fn put(&mut self, into: &mut Map<String, Value>, key: &str, value: impl FnOnce(&mut Self) -> Value) {
        match self.number(12) {
            0..=6 => {}
            7 if self.rarely(4) => drop(into.insert(key.to_owned(), Value::Null)),
            _ => {
                let value = value(self);
                into.insert(key.to_owned(), value);
            }
        }
    }

    /// A spec: absent, usual, at the edge and impossible values of each field.
    pub fn spec(&mut self) -> Value {
        let mut spec = Map::new();
        let into = &mut spec;
        self.put(into, "version", |menu| match menu.number(3) {
            0 => json!(menu.text(&["16", "17", " 17", "017"])),
            _ => menu.integer(&[16, 17, 18, 11, 9, 99]),
        });
        self.put(into, "sku", |menu| json!(menu.text(SKUS)));
        self.put(into, "storage", |menu| {
            let mut storage = Map::new();
            menu.put(&mut storage, "sizeGiB", |menu| menu.integer(&[32, 64, 128, 33, 4096, 32767, 0, -1]));
            menu.put(&mut storage, "tier", |menu| json!(menu.one(&["P4", "P10", "P30", "P80"])));
            menu.put(&mut storage, "autoGrow", |menu| json!(menu.rarely(2)));
            Value::Object(storage)
        });
        let modes = ["Disabled", "SameZone", "ZoneRedundant"];
        self.put(into, "highAvailability", |menu| json!(menu.one(&modes)));
        self.put(into, "backup", |menu| {
            let mut backup = Map::new();
            menu.put(&mut backup, "retentionDays", |menu| menu.integer(&[7, 14, 35, 6, 36]));
            menu.put(&mut backup, "geoRedundant", |menu| json!(menu.rarely(2)));
            Value::Object(backup)
        });
        self.put(
            into,
            "maintenanceWindow",
            |menu| json!({"day": menu.one(&["Monday", "Sunday"]), "hour": menu.integer(&[0, 3, 23, 24])}),
        );
        self.put(into, "databaseName", |menu| json!(menu.text(&["orders", "postgres", "Azure_Sys", "1a"])));
        self.put(into, "extensions", |menu| {
            let length = menu.number(12);
            (0..length).map(|_| json!(menu.text(EXTENSIONS))).collect()
        });
        self.put(into, "parameters", |menu| {
            let length = menu.number(12);
            let entry = |_| (menu.text(PARAMETERS), json!(menu.text(VALUES)));
            Value::Object((0..length).map(entry).collect())
        });
        self.put(into, "authentication", |menu| json!(menu.one(&["Identity", "Password"])));
        self.put(into, "serviceAccountName", |menu| json!(menu.text(&["orders-api", "a.b"])));
        Value::Object(spec)
    }

    pub fn retention(&mut self) -> Option<String> {
        self.maybe(RETENTIONS)
    }

    pub fn confirmation(&mut self) -> Option<String> {
        self.maybe(CONFIRMATIONS)
    }

    /// A `Database` as the API server sends it: with metadata, and maybe with a server and on its way out.
    pub fn database(&mut self) -> Value {
        let mut metadata = Map::new();
        metadata.insert("name".into(), json!(self.text(&["main", "reports"])));
        metadata.insert("namespace".into(), json!(self.text(&["orders", "orders-prod"])));
        self.put(&mut metadata, "annotations", |menu| {
            let known = [
                (api::annotations::RETENTION, menu.retention()),
                (api::annotations::CONFIRM_DESTROY, menu.confirmation()),
                (api::annotations::DEFAULTED, menu.maybe(DEFAULTED)),
                (api::annotations::RECOVER_FROM, menu.maybe(RECOVERIES)),
                ("a/b", menu.maybe(&["c"])),
            ];
            let there = known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?))));
            Value::Object(there.collect())
        });
        self.put(&mut metadata, "deletionTimestamp", |_| json!("2026-11-22T12:00:00Z"));
        if self.rarely(4) {
            metadata.insert("labels".into(), json!({self.text(&["team"]): self.text(&["a b", "a"])}));
            metadata.insert("finalizers".into(), json!([self.text(&["a b", "altinn.app/retain-data"])]));
            metadata.insert("uid".into(), json!(self.text(&["7", "8"])));
        }
        let mut database = json!({
            "apiVersion": "altinn.app/v1alpha1", "kind": "Database", "metadata": metadata, "spec": self.spec(),
        });
        if self.rarely(3) {
            database["status"] = json!({
                "databaseName": self.maybe(&["main", "orders"]),
                "server": {
                    "id": self.maybe(&["/subscriptions/x"]), "version": self.maybe(&["16", "17", "x"]),
                    "sku": self.maybe(SKUS), "sizeGiB": self.one(&[32, 64, 100, 128]),
                },
            });
        }
        database
    }
}
