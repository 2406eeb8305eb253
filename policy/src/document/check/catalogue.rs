//! What the policy knows of Azure beyond the operator: each item has a form, and none stands twice.

use std::collections::HashSet;

use wildmatch::WildMatch;

use super::{Findings, last_day, shape};
use crate::{
    Code,
    catalogue::{
        Catalogue, Extension, Form, More, Name, Offered, Parameter, Region, Size, Sizes, Tier, Unsettable,
        Version, Zones,
    },
    document::{Located, raw},
    quote::{clean, quote},
};

/// The most of each list. All of what Azure has stays well below.
const MOST_SIZES: usize = 200;
const MOST_VERSIONS: usize = 20;
const MOST_EXTENSIONS: usize = 200;
const MOST_PARAMETERS: usize = 500;
const MOST_REGIONS: usize = 100;
/// Words that the value of a parameter can be, patterns of the sizes of a region, versions of an extension.
const MOST_WORDS: usize = 100;
/// The longest name: PostgreSQL's own limit.
const LONGEST_NAME: usize = 63;
/// No server of Azure's has more vCores or GiB of memory.
const LARGEST: u16 = 32_768;

/// What is known, with what the policy adds; `None` when it adds nothing.
pub(super) fn check_catalogue(raw: &raw::Catalogue, findings: &mut Findings) -> Option<Catalogue> {
    let lists = [
        ("sizes", raw.sizes.len(), MOST_SIZES),
        ("versions", raw.versions.len(), MOST_VERSIONS),
        ("extensions", raw.extensions.len(), MOST_EXTENSIONS),
        ("parameters", raw.parameters.len(), MOST_PARAMETERS),
        ("regions", raw.regions.len(), MOST_REGIONS),
    ];
    let mut is_too_much = false;
    for (key, has, most) in lists {
        is_too_much |= !within(has, most, 0, &format!("catalogue.{key}"), findings);
    }
    if is_too_much || lists.iter().all(|(_, has, _)| *has == 0) {
        return None;
    }
    let mut more = More::default();
    let mut once = Once::default();
    for (index, raw) in raw.sizes.iter().enumerate() {
        let path = format!("catalogue.sizes[{index}]");
        once.check(&raw.name, "sizes", &format!("{path}.name"), findings);
        more.sizes.push(size(raw, &path, findings));
    }
    for (index, raw) in raw.versions.iter().enumerate() {
        let path = format!("catalogue.versions[{index}]");
        let major = Located { value: raw.major.value.to_string(), line: raw.major.line };
        once.check(&major, "versions", &format!("{path}.major"), findings);
        more.versions.extend(version(raw, &path, findings));
    }
    for (index, raw) in raw.extensions.iter().enumerate() {
        let path = format!("catalogue.extensions[{index}]");
        once.check(&raw.name, "extensions", &format!("{path}.name"), findings);
        more.extensions.push(extension(raw, &path, findings));
    }
    for (index, raw) in raw.parameters.iter().enumerate() {
        let path = format!("catalogue.parameters[{index}]");
        once.check(&raw.name, "parameters", &format!("{path}.name"), findings);
        more.parameters.push(parameter(raw, &path, findings));
    }
    for (name, raw) in &raw.regions {
        let path = format!("catalogue.regions.{}", clean(name));
        more.regions.insert(name.clone(), region(name, raw, &path, findings));
    }
    Some(Catalogue::known().with(more))
}

/// Whether a list is no longer than it may be.
fn within(has: usize, most: usize, line: u64, path: &str, findings: &mut Findings) -> bool {
    if has > most {
        let text = format!("has {has} items, and {most} are the most; leave out what is known without them");
        findings.add(line, path, Code::PolicyMalformed, text);
    }
    has <= most
}

/// The names that were there, in lower case.
#[derive(Default)]
struct Once(HashSet<(&'static str, String)>);

impl Once {
    fn check(&mut self, name: &Located<String>, list: &'static str, path: &str, findings: &mut Findings) {
        if !self.0.insert((list, name.value.to_ascii_lowercase())) {
            let text = format!("{} is there already; leave one out", quote(&name.value));
            findings.add(name.line, path, Code::PolicyMalformed, text);
        }
    }
}

/// Letters, digits, `_`, and what else stands in such a name.
fn named(written: &Located<String>, more: &'static str, path: &str, findings: &mut Findings) {
    let more_of_them: Vec<String> = more.chars().map(String::from).collect();
    let described = ["letters, digits, _", &more_of_them.join(" ")].join(" ");
    shape(findings, path, written, LONGEST_NAME, described.trim_end(), |c| {
        c.is_ascii_alphanumeric() || c == '_' || more.contains(c)
    });
}

fn size(raw: &raw::CatalogueSize, path: &str, findings: &mut Findings) -> Size {
    named(&raw.name, "", &format!("{path}.name"), findings);
    if !raw.name.value.starts_with("Standard_") {
        let text =
            format!("{} is not a name that Azure uses, such as Standard_D2ds_v5", quote(&raw.name.value));
        findings.add(raw.name.line, &format!("{path}.name"), Code::PolicyMalformed, text);
    }
    for (key, number) in [("vCores", &raw.vcores), ("memoryGiB", &raw.memory_gib)] {
        if !(1..=LARGEST).contains(&number.value) {
            let text = format!("{} is outside of 1 to {LARGEST}; write what the size has", number.value);
            findings.add(number.line, &format!("{path}.{key}"), Code::PolicyMalformed, text);
        }
    }
    let tier = match raw.tier {
        raw::CatalogueTier::Burstable => Tier::Burstable,
        raw::CatalogueTier::GeneralPurpose => Tier::GeneralPurpose,
        raw::CatalogueTier::MemoryOptimized => Tier::MemoryOptimized,
    };
    let (vcores, memory_gib) = (raw.vcores.value, raw.memory_gib.value);
    Size { name: raw.name.value.clone(), tier, vcores, memory_gib }
}

fn version(raw: &raw::CatalogueVersion, path: &str, findings: &mut Findings) -> Option<Version> {
    if !(10..=99).contains(&raw.major.value) {
        let text = format!("{} is not a major version, such as 19", raw.major.value);
        findings.add(raw.major.line, &format!("{path}.major"), Code::PolicyMalformed, text);
    }
    let until = last_day(findings, &format!("{path}.until"), &raw.until);
    let extended = raw.extended_until.as_ref();
    let extended_until =
        extended.and_then(|written| last_day(findings, &format!("{path}.extendedUntil"), written));
    if let (Some(until), Some(end), Some(written)) = (until, extended_until, extended)
        && end < until
    {
        let text = format!("{end} lies before until, {until}; swap them");
        findings.add(written.line, &format!("{path}.extendedUntil"), Code::PolicyMalformed, text);
    }
    Some(Version { major: raw.major.value, until: until?, extended_until })
}

fn extension(raw: &raw::CatalogueExtension, path: &str, findings: &mut Findings) -> Extension {
    named(&raw.name, "-", &format!("{path}.name"), findings);
    let library = raw.library.as_ref();
    if let Some(library) = library {
        named(library, "-", &format!("{path}.library"), findings);
    } else if raw.only_library {
        let text = "needs the key library beside onlyLibrary: true".to_owned();
        findings.add(raw.name.line, path, Code::PolicyMalformed, text);
    }
    let offered = raw.versions.as_ref().map_or(Offered::Always, |versions| {
        let path = format!("{path}.versions");
        within(versions.value.len(), MOST_WORDS, versions.line, &path, findings);
        if versions.value.is_empty() {
            let text = "is empty, so no version has the extension; leave it out for all of them".to_owned();
            findings.add(versions.line, &path, Code::PolicyMalformed, text);
        }
        Offered::In(versions.value.clone())
    });
    Extension {
        name: raw.name.value.clone().into(),
        library: library.map(|library| library.value.clone().into()),
        only_library: raw.only_library,
        offered,
    }
}

fn parameter(raw: &raw::CatalogueParameter, path: &str, findings: &mut Findings) -> Parameter {
    named(&raw.name, ".", &format!("{path}.name"), findings);
    // It becomes a part of the name of an object.
    let is_whole = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    if !raw.name.value.split('.').all(is_whole) {
        let text = format!(
            "{} must begin and end with a letter or digit, and so must what stands before and after a dot",
            quote(&raw.name.value)
        );
        findings.add(raw.name.line, &format!("{path}.name"), Code::PolicyMalformed, text);
    }
    if let Some(library) = &raw.library {
        named(library, "-", &format!("{path}.library"), findings);
    }
    if Catalogue::known().parameter(&raw.name.value, None) == Err(Unsettable::Extensions) {
        let text = format!(
            "{} follows from spec.extensions, so nothing can be said of it here; leave it out",
            quote(&raw.name.value)
        );
        findings.add(raw.name.line, &format!("{path}.name"), Code::PolicyMalformed, text);
    }
    let forms = [
        raw.integer.as_ref().and_then(|bounds| {
            range(&bounds.value, bounds.line, &format!("{path}.integer"), findings)
                .map(|(least, most)| Form::Integer(least, most))
        }),
        raw.number.as_ref().and_then(|bounds| {
            range(&bounds.value, bounds.line, &format!("{path}.number"), findings)
                .map(|(least, most)| Form::Real(least, most))
        }),
        raw.values.as_ref().and_then(|all| words(all, &format!("{path}.values"), findings).map(Form::One)),
        raw.set.as_ref().and_then(|all| words(all, &format!("{path}.set"), findings).map(Form::Any)),
        raw.text.then_some(Form::Text),
    ];
    let written =
        [raw.integer.is_some(), raw.number.is_some(), raw.values.is_some(), raw.set.is_some(), raw.text];
    if written.iter().filter(|is_there| **is_there).count() > 1 {
        let text =
            "has more than one of integer, number, values, set and text; leave all but one out".to_owned();
        findings.add(raw.name.line, path, Code::PolicyMalformed, text);
    }
    let known = Catalogue::known().any_parameter(&raw.name.value);
    let as_known = || known.map_or(Form::Text, |known| known.form.clone());
    let library = raw.library.as_ref().map(|library| Name::from(library.value.clone()));
    Parameter {
        name: known.map_or_else(|| raw.name.value.clone().into(), |known| known.name.clone()),
        form: forms.into_iter().flatten().next().unwrap_or_else(as_known),
        needs_restart: raw.restart.unwrap_or_else(|| known.is_some_and(|known| known.needs_restart)),
        is_read_only: raw.read_only,
        library: library.or_else(|| known.and_then(|known| known.library.clone())),
    }
}

/// The two ends of a range.
fn range<T: PartialOrd + Copy + std::fmt::Display>(
    bounds: &[T],
    line: u64,
    path: &str,
    findings: &mut Findings,
) -> Option<(T, T)> {
    match bounds {
        // What is not a number is neither less than another nor the same.
        &[least, most] if least <= most => Some((least, most)),
        [least, most] => {
            let text = format!("goes from {least} to {most}; write the lesser of two numbers first");
            findings.add(line, path, Code::PolicyMalformed, text);
            None
        }
        _ => {
            let text = "must be two numbers, the least and the greatest, such as [1, 64]".to_owned();
            findings.add(line, path, Code::PolicyMalformed, text);
            None
        }
    }
}

/// Words that can stand between commas.
fn words(written: &Located<Vec<String>>, path: &str, findings: &mut Findings) -> Option<Name> {
    let is_word = |word: &String| {
        word.chars().count() <= LONGEST_NAME && !word.contains(',') && !word.chars().any(char::is_control)
    };
    if !within(written.value.len(), MOST_WORDS, written.line, path, findings) {
        return None;
    }
    if written.value.is_empty() {
        let text = "is empty, so no value can be written; write the words that can".to_owned();
        findings.add(written.line, path, Code::PolicyMalformed, text);
    }
    if let Some(word) = written.value.iter().find(|word| !is_word(word)) {
        let text =
            format!("{} must be at most {LONGEST_NAME} characters on one line, without a comma", quote(word));
        findings.add(written.line, path, Code::PolicyMalformed, text);
    }
    Some(written.value.join(",").into())
}

fn region(name: &str, raw: &raw::CatalogueRegion, path: &str, findings: &mut Findings) -> Region {
    let line = raw.sizes.as_ref().map_or(0, |sizes| sizes.line);
    if name.is_empty()
        || name.len() > 40
        || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    {
        let text = format!(
            "{} must be 1 to 40 characters: lower-case letters and digits, such as norwayeast",
            quote(name)
        );
        findings.add(line, path, Code::PolicyMalformed, text);
    }
    let known = Region::known(name);
    let sizes = raw.sizes.as_ref().map(|sizes| {
        let path = format!("{path}.sizes");
        within(sizes.value.len(), MOST_WORDS, sizes.line, &path, findings);
        if sizes.value.is_empty() {
            let text = "is empty, so no server can be made there; leave it out for all sizes".to_owned();
            findings.add(sizes.line, &path, Code::PolicyMalformed, text);
        }
        for (index, pattern) in sizes.value.iter().enumerate().take(MOST_WORDS) {
            named(pattern, "*?", &format!("{path}[{index}]"), findings);
        }
        let patterns = sizes.value.iter().take(MOST_WORDS);
        Sizes::Named(patterns.map(|pattern| WildMatch::new(&pattern.value.to_ascii_lowercase())).collect())
    });
    Region {
        zones: raw.zones.map_or(known.zones, |zones| if zones { Zones::Open } else { Zones::None }),
        is_paired: raw.pair.unwrap_or(known.is_paired),
        sizes: sizes.unwrap_or(known.sizes),
    }
}
