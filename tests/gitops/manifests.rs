//! What an app has in its repository.

pub(crate) const MAIN: &str = "main.yaml";
pub(crate) const SETTINGS: &str = "settings.yaml";

/// A `Database` with this spec.
pub(crate) fn database(spec: &str) -> String {
    annotated("{}", spec)
}

fn annotated(annotations: &str, spec: &str) -> String {
    format!(
        "apiVersion: altinn.app/v1alpha1\nkind: Database\n\
         metadata: {{name: main, annotations: {annotations}}}\nspec: {spec}\n"
    )
}

/// The same, whose data are retained when it is deleted.
pub(crate) fn kept(spec: &str) -> String {
    annotated("{altinn.app/retention: Retain}", spec)
}

/// Something else of the app's.
pub(crate) fn config(value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{value: \"{value}\"}}\n")
}
