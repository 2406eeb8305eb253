//! Between what a spec asks of a running server and Azure's server parameters, both ways: extensions are parameters, too.

use std::collections::BTreeMap;

use policy::{Effective, catalogue::LOADED_ANYWAY};

use super::database_for_postgresql::FlexibleServersConfigurationSpec;

/// The parameter that lists the extensions which `CREATE EXTENSION` may name.
/// <https://learn.microsoft.com/azure/postgresql/extensions/how-to-allow-extensions>
const EXTENSIONS: &str = "azure.extensions";
/// The parameter that lists the libraries which a start of the server loads.
const LIBRARIES: &str = "shared_preload_libraries";

/// The value was asked for.
pub(super) const OVERRIDE: &str = "user-override";
/// The value is Azure's own.
pub(super) const DEFAULT: &str = "system-default";

/// Every parameter with another value than Azure's own.
pub(super) fn wanted(effective: &Effective) -> BTreeMap<String, String> {
    let mut all = effective.parameters.clone();
    let extensions: Vec<&str> = effective.extensions.iter().map(|extension| extension.name).collect();
    if !extensions.is_empty() {
        all.insert(EXTENSIONS.to_owned(), extensions.join(","));
    }
    let mut libraries = LOADED_ANYWAY.to_vec();
    for library in effective.extensions.iter().filter_map(|extension| extension.library) {
        if !libraries.contains(&library) {
            libraries.push(library);
        }
    }
    if libraries.len() > LOADED_ANYWAY.len() {
        all.insert(LIBRARIES.to_owned(), libraries.join(","));
    }
    all
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
    parameters.remove(LIBRARIES);
    let extensions = parameters.remove(EXTENSIONS).unwrap_or_default();
    (extensions.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(), parameters)
}

/// Name of a parameter's object. Kubernetes has no underscores in names, and PostgreSQL no hyphens.
pub(super) fn object_name(server: &str, parameter: &str) -> String {
    format!("{server}-{}", parameter.to_ascii_lowercase().replace('_', "-"))
}
