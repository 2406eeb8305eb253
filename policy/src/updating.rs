//! The annotation that has extensions brought to the version that the server has.

use api::{DatabaseSpec, annotations::UPDATE_EXTENSIONS};

use crate::{
    quote::quote,
    warning::{LONGEST_WARNING, cut},
};

/// Whether the annotation names this extension.
pub fn names(value: Option<&str>, extension: &str) -> bool {
    value.is_some_and(|value| all(value).any(|name| name.eq_ignore_ascii_case(extension)))
}

fn all(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// What a person should know who applies it.
pub fn on_apply(value: Option<&str>, spec: &DatabaseSpec) -> Vec<String> {
    let Some(value) = value else { return Vec::new() };
    let wanted = spec.extensions.as_deref().unwrap_or_default();
    let is_wanted = |name: &str| wanted.iter().any(|extension| extension.eq_ignore_ascii_case(name));
    let text = match all(value).find(|name| !is_wanted(name)) {
        Some(name) => {
            format!("{} is none of spec.extensions, so nothing is done for it", cut(&quote(name), 24))
        }
        None if all(value).next().is_none() => {
            "names no extension; write their names with a comma between, e.g. vector,postgis".to_owned()
        }
        None => return Vec::new(),
    };
    vec![cut(&format!("{UPDATE_EXTENSIONS}: {text}"), LONGEST_WARNING)]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, false)]
    #[case(Some(""), false)]
    #[case(Some("vector"), true)]
    #[case(Some("postgis, Vector ,"), true)]
    #[case(Some("vectors"), false)]
    fn the_annotation_names_extensions(#[case] value: Option<&str>, #[case] expected: bool) {
        assert_eq!(names(value, "vector"), expected);
    }

    #[rstest]
    #[case(None, "")]
    #[case(Some("vector,hstore"), "")]
    #[case(
        Some("vector,postgis"),
        "altinn.app/update-extensions: \"postgis\" is none of spec.extensions, so nothing is done for it"
    )]
    #[case(
        Some(" , "),
        "altinn.app/update-extensions: names no extension; write their names with a comma between, e.g. vector,postgis"
    )]
    fn who_applies_it_is_told_what_does_nothing(#[case] value: Option<&str>, #[case] expected: &str) {
        let extensions = Some(vec!["vector".to_owned(), "hstore".to_owned()]);
        let spec = DatabaseSpec { extensions, ..DatabaseSpec::default() };
        let said = on_apply(value, &spec);
        assert_eq!(said.join("\n"), expected);
        assert!(said.iter().all(|line| line.chars().count() <= LONGEST_WARNING));
    }
}
