//! Between what a spec asks of a running server and Azure's server parameters, both ways: extensions are parameters, too.

use std::collections::BTreeMap;

use api::ExtensionStatus;
use policy::{Effective, catalogue::LOADED_AT_FIRST};

use super::database_for_postgresql::FlexibleServersConfigurationSpec;

/// The parameter that lists the extensions which `CREATE EXTENSION` may name.
/// <https://learn.microsoft.com/azure/postgresql/extensions/how-to-allow-extensions>
const EXTENSIONS: &str = "azure.extensions";
/// The parameter that lists the libraries which a start of the server loads.
const LIBRARIES: &str = "shared_preload_libraries";
/// The switch of the connection pooler, whose other parameters are there only while it is on.
const POOLER: &str = "pgbouncer.enabled";

/// The value was asked for.
pub(super) const OVERRIDE: &str = "user-override";
/// The value is Azure's own.
pub(super) const DEFAULT: &str = "system-default";

/// Every parameter with another value than Azure's own. `existing` are those that have an object, and `in_database` names the
/// extensions that are known to be in the database.
pub(super) fn wanted<'a>(
    effective: &Effective,
    existing: impl IntoIterator<Item = &'a FlexibleServersConfigurationSpec>,
    in_database: &[ExtensionStatus],
) -> BTreeMap<String, String> {
    let mut all = effective.parameters.clone();
    let existing: Vec<_> = existing.into_iter().collect();
    let listed = |parameter: &str| {
        let spec = existing.iter().find(|spec| spec.azure_name == parameter && spec.source == OVERRIDE);
        let value = spec.and_then(|spec| spec.value.as_deref()).unwrap_or_default();
        value.split(',').filter(|name| !name.is_empty())
    };
    let creatable = effective.extensions.iter().filter(|extension| !extension.only_library);
    let mut extensions: Vec<&str> = creatable.map(|extension| extension.name.as_ref()).collect();
    // Azure drops none that isn't in the list: what isn't wanted any more stays there until it is gone from the database.
    let leaving = listed(EXTENSIONS)
        .filter(|name| !extensions.contains(name) && in_database.iter().any(|one| one.name == **name));
    let leaving: Vec<&str> = leaving.collect();
    extensions.extend(&leaving);
    extensions.sort_unstable();
    if !extensions.is_empty() {
        all.insert(EXTENSIONS.to_owned(), extensions.join(","));
    }
    let wanted = effective.extensions.iter().filter_map(|extension| extension.library.as_deref());
    // And its library with it, which isn't always of its name.
    let stay = listed(LIBRARIES).filter(|_| !leaving.is_empty());
    let mut libraries = LOADED_AT_FIRST.to_vec();
    for library in wanted.chain(stay) {
        if !libraries.contains(&library) {
            libraries.push(library);
        }
    }
    // Azure's default is less than what a new server loads, so once the list is ours it never goes back to that: jobs of
    // pg_cron would stop with the next restart.
    let is_asked_for = effective.extensions.iter().any(|extension| extension.library.is_some());
    if is_asked_for || existing.into_iter().any(|spec| spec.azure_name == LIBRARIES) {
        all.insert(LIBRARIES.to_owned(), libraries.join(","));
    }
    all
}

/// Whether this parameter says which extensions can be created.
pub fn is_of_extensions(parameter: &str) -> bool {
    [EXTENSIONS, LIBRARIES].contains(&parameter)
}

/// The extensions and the parameters that were asked for.
pub fn read<'a>(
    configurations: impl IntoIterator<Item = &'a FlexibleServersConfigurationSpec>,
) -> (Vec<String>, BTreeMap<String, String>) {
    let mut parameters: BTreeMap<String, String> = configurations
        .into_iter()
        .filter(|spec| spec.source == OVERRIDE)
        .filter_map(|spec| Some((spec.azure_name.clone(), spec.value.clone()?)))
        .collect();
    let libraries = parameters.remove(LIBRARIES).unwrap_or_default();
    let extensions = parameters.remove(EXTENSIONS).unwrap_or_default();
    let names = |list: &str| list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let (mut extensions, mut libraries): (Vec<String>, Vec<String>) = (names(&extensions), names(&libraries));
    // A library without an extension stands in this list alone.
    libraries.retain(|library| !LOADED_AT_FIRST.contains(&library.as_str()) && !extensions.contains(library));
    extensions.extend(libraries);
    (extensions, parameters)
}

/// In which order parameters are set, since Azure takes one at a time: the switch of the pooler before what is there only
/// while it is on, and after it when it goes off.
pub(super) fn rank(parameter: &str, source: &str) -> u8 {
    match (parameter, source) {
        (POOLER, OVERRIDE) => 0,
        (POOLER, _) => 2,
        _ => 1,
    }
}

/// Name of a parameter's object. Kubernetes has no underscores in names, and PostgreSQL no hyphens.
pub(super) fn object_name(server: &str, parameter: &str) -> String {
    format!("{server}-{}", parameter.to_ascii_lowercase().replace('_', "-"))
}
