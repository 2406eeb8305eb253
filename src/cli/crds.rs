//! `database-operator crds`

use super::Failure;

/// Prints every CRD as a YAML document.
pub(super) fn run() -> Result<(), Failure> {
    print!("{}", yaml()?);
    Ok(())
}

fn yaml() -> Result<String, Failure> {
    let mut text = String::new();
    for crd in api::crd::all() {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(&crd)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_crds_in_the_chart_are_the_generated_ones() {
        let shipped = include_str!("../../charts/database-operator/files/crds.yaml");
        assert!(shipped == super::yaml().unwrap(), "the chart's CRDs are out of date; run `make generate`");
    }
}
