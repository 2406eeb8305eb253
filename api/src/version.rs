//! The major version of PostgreSQL, which people write as a number or as a string.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The major version as a number, from `17` as well as from `"17"`; `None` when it is not a number.
pub fn major(version: &IntOrString) -> Option<u16> {
    match version {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        // As a number is written: no sign, and no zeros in front.
        IntOrString::String(text) => text.parse().ok().filter(|major: &u16| major.to_string() == *text),
    }
}

/// The major version of a server that runs, as Azure reports it, e.g. `17`.
pub fn of_server(text: &str) -> Option<IntOrString> {
    let major: u16 = text.parse().ok()?;
    Some(IntOrString::Int(i32::from(major)))
}

/// The version as its author wrote it, without quotes.
pub fn written(version: &IntOrString) -> String {
    match version {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(IntOrString::Int(17), Some(17))]
    #[case(IntOrString::String("17".into()), Some(17))]
    #[case(IntOrString::Int(-1), None)]
    #[case(IntOrString::Int(70_000), None)]
    #[case(IntOrString::String(String::new()), None)]
    #[case(IntOrString::String("+17".into()), None)]
    #[case(IntOrString::String("017".into()), None)]
    #[case(IntOrString::String("17.2".into()), None)]
    #[case(IntOrString::String("latest".into()), None)]
    fn a_major_version_is_a_whole_number(#[case] version: IntOrString, #[case] expected: Option<u16>) {
        assert_eq!(major(&version), expected);
    }
}
