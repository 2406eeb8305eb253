//! What is known here, held against what Azure itself answers (`tests/azure`, with where it is from). A row of ours that differs
//! fails, and so does one of Azure's that we lack without a reason.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{parameters::known, *};

const PARAMETERS: &str = include_str!("../../../tests/azure/parameters-pg17.tsv");
const CAPABILITIES: &str = include_str!("../../../tests/azure/capabilities.json");
/// The version of the server that was asked for its parameters.
const VERSION: u16 = 17;

fn capabilities() -> Value {
    serde_json::from_str(CAPABILITIES).unwrap()
}

/// A parameter as Azure describes it.
struct Row {
    name: &'static str,
    kind: &'static str,
    allowed: &'static str,
    is_read_only: bool,
    needs_restart: bool,
}

fn rows() -> Vec<Row> {
    let rows: Vec<Row> = PARAMETERS
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            assert_eq!(cells.len(), 8, "{line}");
            Row {
                name: cells[0],
                kind: cells[1],
                allowed: cells[2],
                is_read_only: cells[5].parse().unwrap(),
                needs_restart: !cells[6].parse::<bool>().unwrap(),
            }
        })
        .collect();
    assert_eq!(rows.len(), 562);
    rows
}

/// The words between Azure's commas; none is one of them where nothing can be written.
fn words(allowed: &str) -> Vec<&str> {
    allowed.split(',').map(str::trim).collect()
}

/// A number from Azure's range, as its edges are written.
fn edges(allowed: &str) -> (&str, &str) {
    let at = allowed[1..].find('-').unwrap() + 1;
    (&allowed[..at], &allowed[at + 1..])
}

#[test]
fn each_parameter_of_azure_is_set_here_as_it_is_there() {
    let catalogue = Catalogue::known();
    for row in rows() {
        let found = catalogue.parameter(row.name, Some(VERSION));
        let expected = match row.name {
            // Both follow from `spec.extensions`.
            "azure.extensions" | "shared_preload_libraries" => Err(Unsettable::Extensions),
            _ if row.is_read_only => Err(Unsettable::ReadOnly),
            _ => Ok(row.needs_restart),
        };
        assert_eq!(found.map(|found| found.needs_restart), expected, "{}", row.name);
    }
}

#[test]
fn each_value_that_azure_takes_is_taken_and_no_other() {
    let catalogue = Catalogue::known();
    let mut seen = BTreeMap::new();
    for row in rows().into_iter().filter(|row| !row.is_read_only) {
        let Ok(parameter) = catalogue.parameter(row.name, Some(VERSION)) else { continue };
        *seen.entry(row.kind).or_insert(0) += 1;
        let takes = |value: &str| parameter.form.canonical(value).is_some();
        let name = row.name;
        match row.kind {
            "Integer" | "Numeric" => {
                let (least, most) = edges(row.allowed);
                assert!(takes(least) && takes(most), "{name}");
                assert!(!takes("many") && !takes("") && !takes("1MB"), "{name}");
                let (least, most): (f64, f64) = (least.parse().unwrap(), most.parse().unwrap());
                assert!(
                    !takes(&format!("{}", least - 1.0))
                        && (most > 1e300 || !takes(&format!("{}", most + 1.0)))
                );
                let fraction = format!("{}", least + 0.5);
                assert_eq!(
                    takes(&fraction),
                    row.kind == "Numeric" && least + 0.5 <= most,
                    "{name} {fraction}"
                );
            }
            "Boolean" | "Enumeration" => {
                for word in words(row.allowed) {
                    assert_eq!(parameter.form.canonical(word).as_deref(), Some(word), "{name}");
                }
                assert!(!takes("happy") && takes("") == words(row.allowed).contains(&""), "{name}");
            }
            "Set" => {
                let all = words(row.allowed).join(",");
                assert_eq!(parameter.form.canonical(&all).as_deref(), Some(all.as_str()), "{name}");
                assert!(!takes("happy"), "{name}");
            }
            "String" => assert!(takes("any text") && !takes("two\nlines"), "{name}"),
            kind => panic!("{name} is of the kind {kind}, which isn't known"),
        }
    }
    let kinds: Vec<&str> = seen.into_keys().collect();
    assert_eq!(kinds, ["Boolean", "Enumeration", "Integer", "Numeric", "Set", "String"]);
}

/// What is settable here and not in Azure's answer.
#[test]
fn no_parameter_is_made_up() {
    let rows = rows();
    let is_azures = |name: &str| rows.iter().any(|row| row.name == name);
    let known = known();
    let made_up: Vec<&str> = known
        .settable()
        .filter(|name| !is_azures(name))
        // Azure lists these only while the pooler is on.
        .filter(|name| !name.starts_with("pgbouncer."))
        // These are PostgreSQL's from a later version on.
        .filter(|name| known.find(name, Some(VERSION)) != Err(Unsettable::Since(18)))
        .collect();
    assert!(made_up.is_empty(), "{made_up:?}");
}

/// The words of one of Azure's sets.
fn set(name: &str) -> Vec<&'static str> {
    let row = rows().into_iter().find(|row| row.name == name).unwrap();
    words(row.allowed).into_iter().filter(|word| !word.is_empty()).collect()
}

#[test]
fn each_extension_of_azure_is_known_and_no_other() {
    let azures = set("azure.extensions");
    let known = Catalogue::known().extensions().iter().filter(|extension| extension.offered.with(VERSION));
    let mut ours: Vec<&str> =
        known.filter(|extension| !extension.only_library).map(|extension| extension.name.as_ref()).collect();
    // Azure's page of extensions got it two months after this answer of Azure's.
    ours.retain(|name| *name != "temporal_tables");
    ours.sort_unstable();
    let mut azures = azures;
    azures.sort_unstable();
    assert_eq!(ours, azures);
}

#[test]
fn each_library_of_azure_can_be_had_and_no_other() {
    let catalogue = Catalogue::known();
    let known = catalogue.extensions().iter().filter(|extension| extension.offered.with(VERSION));
    let mut ours: Vec<&str> = known.filter_map(|extension| extension.library.as_deref()).collect();
    // Its functions work without it; loaded, it writes down and warms the cache of every database.
    ours.push("pg_prewarm");
    ours.sort_unstable();
    let mut azures = set("shared_preload_libraries");
    azures.sort_unstable();
    assert_eq!(ours, azures);
    // Those of a session are the app team's.
    let session = catalogue.parameter("session_preload_libraries", Some(VERSION)).unwrap();
    assert_eq!(session.form.words().collect::<Vec<_>>(), set("session_preload_libraries"));
    // A parameter of a library that isn't there could never be set.
    let libraries = rows().into_iter().filter_map(|row| {
        let parameter = catalogue.parameter(row.name, Some(VERSION)).ok()?;
        parameter.library.clone()
    });
    for library in libraries {
        assert!(catalogue.extension_of(&library).is_some(), "{library}");
    }
}

/// Where Azure was asked, this is all there is.
#[test]
fn each_size_of_azure_is_known_with_its_tier_cores_and_memory_and_no_other() {
    let capabilities = capabilities();
    let region = Catalogue::known().region(capabilities["region"].as_str().unwrap());
    let mut azures = BTreeMap::new();
    for (tier, edition) in capabilities["editions"].as_object().unwrap() {
        for (name, size) in edition["sizes"].as_object().unwrap() {
            azures.insert(
                name.clone(),
                (tier.clone(), size["vCores"].as_u64().unwrap(), size["memoryGiB"].as_u64().unwrap()),
            );
            // Azure lists modes of standbys for Burstable sizes, too, and refuses them.
            assert_eq!(size["haModes"].as_array().unwrap().len(), 2, "{name}");
        }
    }
    let sizes = Catalogue::known().sizes().iter().filter(|size| region.has(size));
    let ours: BTreeMap<_, _> = sizes
        .map(|size| {
            let facts = (size.tier.as_str().to_owned(), size.vcores.into(), size.memory_gib.into());
            (size.name.clone(), facts)
        })
        .collect();
    assert_eq!(ours, azures);
    assert!(ours.len() > 70);
}

#[test]
fn each_disk_of_azure_is_known_with_its_tiers_and_no_other() {
    let capabilities = capabilities();
    let disks = &capabilities["storage"]["ManagedDisk"];
    let azures: Vec<(i64, Vec<String>, String)> = disks["sizes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|disk| {
            let tiers =
                disk["tiers"].as_array().unwrap().iter().map(|tier| tier.as_str().unwrap().to_owned());
            let own = disk["defaultTier"].as_str().unwrap().to_owned();
            (disk["sizeMb"].as_i64().unwrap() / 1024, tiers.collect(), own)
        })
        .collect();
    let ours: Vec<(i64, Vec<String>, String)> = DISK_SIZES_GIB
        .iter()
        .map(|size| {
            let own = own_tier(*size).unwrap().to_string();
            (i64::from(*size), tiers(*size).map(|tier| tier.to_string()).collect(), own)
        })
        .collect();
    assert_eq!(ours, azures);
}

#[test]
fn each_version_of_azure_is_known_and_no_other() {
    let capabilities = capabilities();
    let mut azures: Vec<u16> = capabilities["supportedServerVersions"]
        .as_object()
        .unwrap()
        .keys()
        .map(|major| major.parse().unwrap())
        .collect();
    azures.sort_unstable();
    let ours: Vec<u16> = Catalogue::known().versions().iter().map(|version| version.major).collect();
    assert_eq!(ours, azures);
}

#[test]
fn the_region_has_what_azure_says_of_it() {
    let capabilities = capabilities();
    let region = Catalogue::known().region(capabilities["region"].as_str().unwrap());
    let has = |feature: &str| capabilities["features"][feature] == "Enabled";
    assert_eq!(region.zones == Zones::Open, has("ZoneRedundantHa"));
    assert_eq!(region.is_paired, has("GeoBackup"));
}

/// What a new server loads is set for it, and isn't the parameter's default.
#[test]
fn a_new_server_loads_more_than_the_default_says() {
    let line = PARAMETERS.lines().find(|line| line.starts_with("shared_preload_libraries\t")).unwrap();
    let cells: Vec<&str> = line.split('\t').collect();
    assert_eq!((cells[4], cells[7]), ("pg_stat_statements", "user-override"));
    assert!(LOADED_AT_FIRST.contains(&"pg_stat_statements") && LOADED_AT_FIRST.contains(&"pg_cron"));
}
