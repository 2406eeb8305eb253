//! What to write instead.

use crate::{
    catalogue::{Catalogue, Size},
    message::and_more,
};

/// As many alternatives as a message names; the rest is counted.
const SHOWN: usize = 5;
/// The longest text that is compared with what is known: each known name is shorter, and comparing takes the longer the
/// longer the text is.
const LONGEST_WRITTEN: usize = 63;

/// `use A`, `use A or B`, or what to do when there is nothing to use.
pub(crate) fn instead<T: ToString>(all: &[T], otherwise: &str) -> String {
    if all.is_empty() { otherwise.to_owned() } else { format!("use {}", alternatives(all)) }
}

/// `A`, `A or B`, `A, B or C`, and from the sixth on `(+N more)`; of something, since nobody can write nothing.
pub fn alternatives<T: ToString>(all: &[T]) -> String {
    let shown: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    let list = match shown.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    };
    list + &and_more(all.len().saturating_sub(SHOWN))
}

/// The sizes nearest to `wanted` first: itself, the same tier, then vCores, then memory, then newer families.
pub(crate) fn nearest_sizes<'a>(wanted: &Size, allowed: impl Iterator<Item = &'a Size>) -> Vec<&'a str> {
    let mut allowed: Vec<&Size> = allowed.collect();
    allowed.sort_by_key(|size| {
        (
            size.name != wanted.name,
            size.tier != wanted.tier,
            size.vcores.abs_diff(wanted.vcores),
            size.memory_gib.abs_diff(wanted.memory_gib),
        )
    });
    allowed.into_iter().map(|size| size.name.as_str()).collect()
}

/// The sizes nearest to the one that was probably meant, allowed or not; else the smallest first.
pub(crate) fn sizes_like<'a>(
    catalogue: &Catalogue,
    written: &str,
    allowed: impl Iterator<Item = &'a Size>,
) -> Vec<&'a str> {
    let known = catalogue.sizes().iter().map(|size| size.name.as_str());
    if let Some(meant) = did_you_mean(written, known).and_then(|meant| catalogue.size(meant)) {
        return nearest_sizes(meant, allowed);
    }
    let mut allowed: Vec<&Size> = allowed.collect();
    allowed.sort_by_key(|size| (size.vcores, size.memory_gib));
    allowed.into_iter().map(|size| size.name.as_str()).collect()
}

/// The candidate that was probably meant.
pub fn did_you_mean<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > LONGEST_WRITTEN {
        return None;
    }
    let written = written.to_ascii_lowercase();
    candidates
        .map(|candidate| (strsim::jaro_winkler(&written, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.85)
        // `max_by` takes the last of equals; the first is the better one here.
        .fold(None, |best: Option<(f64, &str)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[17], "17")]
    #[case(&[17, 18], "17 or 18")]
    #[case(&[15, 16, 17], "15, 16 or 17")]
    #[case(&[1, 2, 3, 4, 5, 6, 7], "1, 2, 3, 4 or 5 (+2 more)")]
    fn at_most_five_alternatives_are_named(#[case] all: &[u8], #[case] text: &str) {
        assert_eq!(alternatives(all), text);
    }

    #[test]
    fn the_nearest_size_is_near_in_tier_and_cores_not_in_spelling() {
        let wanted = Catalogue::known().size("Standard_E64ds_v5").unwrap();
        let allowed = Catalogue::known()
            .sizes()
            .iter()
            .filter(|size| size.name.starts_with("Standard_D") || size.name == "Standard_E4ds_v5");
        let nearest = nearest_sizes(wanted, allowed);
        assert_eq!(&nearest[..2], ["Standard_E4ds_v5", "Standard_D64ds_v6"]);
    }

    #[rstest]
    #[case::allowed("Standard_D4ds-v5", &["Standard_D4ds_v5", "Standard_D2ds_v5"])]
    #[case::of_another_tier("Standard_E4dsv5", &["Standard_D4ds_v5", "Standard_D2ds_v5"])]
    #[case::too_large("standard_d64ds_v55", &["Standard_D8ds_v5", "Standard_D4ds_v5"])]
    #[case::like_nothing("banana", &["Standard_B1ms", "Standard_D2ds_v5"])]
    fn a_misspelt_size_is_recognised_though_it_is_not_allowed(#[case] written: &str, #[case] first: &[&str]) {
        let allowed = ["Standard_B1ms", "Standard_D2ds_v5", "Standard_D4ds_v5", "Standard_D8ds_v5"];
        let allowed = allowed.iter().filter_map(|name| Catalogue::known().size(name));
        assert_eq!(&sizes_like(Catalogue::known(), written, allowed)[..2], first);
    }

    #[rstest]
    #[case("Standard_B1m", Some("Standard_B1ms"))]
    #[case("standard_d2ds-v5", Some("Standard_D2ds_v5"))]
    #[case("banana", None)]
    #[case(&"Standard_B1ms".repeat(6), None)]
    fn a_slip_of_the_pen_is_recognised(#[case] written: &str, #[case] meant: Option<&str>) {
        let names = Catalogue::known().sizes().iter().map(|size| size.name.as_str());
        assert_eq!(did_you_mean(written, names), meant);
    }
}
