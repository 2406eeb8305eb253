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

/// Makes one line of each paragraph: `kubectl explain` breaks lines by itself, and would keep those of the
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

fn database() -> CustomResourceDefinition {
    let mut crd = shipped(Database::crd());
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
    use super::*;

    #[test]
    fn a_new_database_is_never_taken_for_current_before_the_first_visit() {
        let crd = serde_json::to_value(database()).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        assert_eq!(schema["properties"]["status"]["default"], json!({"observedGeneration": -1}));
    }

    #[test]
    fn no_spec_field_has_a_default_in_the_schema() {
        let crd = serde_json::to_value(database()).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        assert!(!spec.to_string().contains("\"default\":"), "{spec}");
    }

    #[test]
    fn every_spec_field_is_explained() {
        let crd = serde_json::to_value(database()).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let mut unexplained = Vec::new();
        walk(spec, "spec", &mut unexplained);
        assert_eq!(unexplained, Vec::<String>::new());
    }

    fn walk(schema: &serde_json::Value, path: &str, unexplained: &mut Vec<String>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if property["description"].as_str().is_none_or(str::is_empty) {
                unexplained.push(path.clone());
            }
            walk(property, &path, unexplained);
        }
    }
}
