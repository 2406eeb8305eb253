//! The CustomResourceDefinitions as they are shipped.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde_json::json;

use crate::{Database, RetainedDatabase};

/// Every CRD of the group, ready to be applied.
pub fn all() -> Vec<CustomResourceDefinition> {
    vec![database(), retained_database()]
}

/// Makes one line of each paragraph: `kubectl explain` breaks the lines, and would keep those of the
/// source as well.
fn unwrap_descriptions(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        let paragraphs: Vec<String> =
            description.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *description = paragraphs.join("\n\n");
    }
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(unwrap_descriptions);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        unwrap_descriptions(items);
    }
}

/// Lets a schema take anything, and leaves what it explains: `kubectl explain` and editors show fields and descriptions.
///
/// To what the API server itself finds invalid (422), `kubectl apply --force` and Flux with `force` answer by deleting the
/// object, and a Database takes its data along if its annotations say so. So a mistake is the webhook's to find: it
/// refuses with 403, and says what to write. Fields that nobody knows reach it, too, instead of being dropped in silence.
fn widen(schema: &mut JSONSchemaProps) {
    let description = schema.description.take().unwrap_or_default();
    // kubectl shows each of them as an object.
    let description = format!("{description} Type: {}.", kind(schema));
    let properties = schema.properties.take().map(|mut properties| {
        properties.values_mut().for_each(widen);
        properties
    });
    *schema = JSONSchemaProps {
        description: Some(description),
        properties,
        x_kubernetes_preserve_unknown_fields: Some(true),
        ..JSONSchemaProps::default()
    };
}

/// What people write there.
fn kind(schema: &JSONSchemaProps) -> &'static str {
    match schema.type_.as_deref() {
        Some("string") if schema.enum_.is_some() => "one of these words",
        Some("string") => "text",
        Some("integer") => "whole number",
        Some("boolean") => "true or false",
        Some("array") => "list",
        Some("object") if schema.properties.is_some() => "map of the fields below",
        Some("object") => "map of names to values",
        // By a number or a text the same is meant.
        _ => "number or text",
    }
}

/// Widens the spec, which may be left out, too.
fn widen_spec(crd: &mut CustomResourceDefinition) {
    let schemas = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    for schema in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        schema.required = None;
        let Some(spec) = schema.properties.as_mut().and_then(|properties| properties.get_mut("spec")) else {
            continue;
        };
        widen(spec);
        // It takes the place of null as well. Elsewhere the API server drops a null, where null isn't a value of its own.
        spec.default = Some(JSON(json!({})));
    }
}

fn database() -> CustomResourceDefinition {
    let mut crd = shipped(Database::crd());
    widen_spec(&mut crd);
    let labels = crd.metadata.labels.get_or_insert_default();
    // `status.binding.name` names a Secret: https://servicebinding.io/spec/core/1.1.0/#provisioned-service
    labels.insert("servicebinding.io/provisioned-service".into(), "true".into());
    crd
}

fn retained_database() -> CustomResourceDefinition {
    shipped(RetainedDatabase::crd())
}

fn shipped(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let labels = crd.metadata.labels.get_or_insert_default();
    labels.insert("app.kubernetes.io/name".into(), "database-operator".into());
    labels.insert("app.kubernetes.io/part-of".into(), "database-operator".into());
    // A database outlives the operator's Helm release: deleting the CRD would delete every object of it.
    let annotations = crd.metadata.annotations.get_or_insert_default();
    annotations.insert("helm.sh/resource-policy".into(), "keep".into());
    // The same for Argo CD, which heeds Helm's annotation at no prune, and for Flux.
    annotations.insert("argocd.argoproj.io/sync-options".into(), "Prune=false,Delete=false".into());
    annotations.insert("kustomize.toolkit.fluxcd.io/prune".into(), "disabled".into());

    let schemas = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    for schema in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        unwrap_descriptions(schema);
        if let Some(status) = schema.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
            // kstatus takes an object without conditions for Current: -1 closes the gap before the
            // controller's first visit.
            status.default = Some(JSON(json!({"observedGeneration": -1})));
        }
    }
    crd
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_new_database_is_never_taken_for_current_before_the_first_visit() {
        let crd = serde_json::to_value(database()).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        assert_eq!(schema["properties"]["status"]["default"], json!({"observedGeneration": -1}));
    }

    #[test]
    fn no_tool_deletes_a_crd_that_it_does_not_find_any_more() {
        let annotations = json!({
            "helm.sh/resource-policy": "keep",
            "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
            "kustomize.toolkit.fluxcd.io/prune": "disabled",
        });
        for crd in all() {
            assert_eq!(serde_json::to_value(&crd.metadata.annotations).unwrap(), annotations);
        }
    }

    fn spec() -> serde_json::Value {
        let crd = serde_json::to_value(database()).unwrap();
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
    }

    #[test]
    fn a_spec_may_be_left_out_and_none_of_its_fields_has_a_default_in_the_schema() {
        let mut spec = spec();
        assert_eq!(spec.as_object_mut().unwrap().remove("default"), Some(json!({})));
        assert!(!spec.to_string().contains("\"default\":"), "{spec}");
        let crd = serde_json::to_value(database()).unwrap();
        assert!(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["required"].is_null());
    }

    /// `kubectl apply --force` answers by deleting the object to what the API server finds invalid.
    #[test]
    fn there_is_nothing_in_a_spec_that_the_api_server_finds_invalid() {
        let mut spec = spec();
        spec.as_object_mut().unwrap().remove("default");
        assert_wide("spec", &spec);
    }

    #[rstest]
    #[case::text("/properties/sku", "text")]
    #[case::word("/properties/highAvailability", "one of these words")]
    #[case::number("/properties/storage/properties/sizeGiB", "whole number")]
    #[case::switch("/properties/storage/properties/autoGrow", "true or false")]
    #[case::list("/properties/extensions", "list")]
    #[case::map("/properties/parameters", "map of names to values")]
    #[case::group("/properties/backup", "map of the fields below")]
    #[case::version("/properties/version", "number or text")]
    fn each_field_says_what_people_write_there(#[case] path: &str, #[case] kind: &str) {
        let spec = spec();
        let description = spec.pointer(path).unwrap()["description"].as_str().unwrap();
        assert!(description.ends_with(&format!(" Type: {kind}.")), "{description}");
    }

    fn assert_wide(path: &str, schema: &serde_json::Value) {
        let keys: Vec<&str> = schema.as_object().unwrap().keys().map(String::as_str).collect();
        // Not `nullable` either, which would keep a null instead of dropping it.
        let known = ["description", "properties", "x-kubernetes-preserve-unknown-fields"];
        let narrow: Vec<_> = keys.iter().filter(|key| !known.contains(key)).collect();
        assert!(narrow.is_empty(), "{path} is narrowed by {narrow:?}");
        assert_eq!(schema["x-kubernetes-preserve-unknown-fields"], true, "{path}");
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            assert_wide(&format!("{path}.{name}"), property);
        }
    }

    #[test]
    fn every_spec_field_is_explained() {
        let mut unexplained = Vec::new();
        walk(&spec(), "spec", &mut unexplained);
        assert_eq!(unexplained, Vec::<String>::new());
    }

    fn walk(schema: &serde_json::Value, path: &str, unexplained: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            // The schema has no types, so an example or the words stand in the text.
            if !property["description"].as_str().is_some_and(|text| text.contains('`')) {
                unexplained.push(path.clone());
            }
            walk(property, &path, unexplained);
        }
    }
}
