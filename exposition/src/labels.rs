//! Labels, and what each of them means.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};

/// A label.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Label {
    pub name: &'static str,
    /// With each of its values in backquotes, where they are a closed set.
    pub meaning: &'static str,
}

/// A set of labels whose meaning is known: what [`labels!`](crate::labels!) defines.
pub trait Labelled {
    const LABELS: &'static [Label];
}

/// No labels, of a metric that isn't there before it has a value.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Unlabelled;

impl Labelled for Unlabelled {
    const LABELS: &'static [Label] = &[];
}

impl EncodeLabelSet for Unlabelled {
    fn encode(&self, _: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        Ok(())
    }
}

/// Defines a set of labels. What stands above a field is shown to people as the label's meaning.
///
/// A label must not be called as one that Prometheus puts on all that it scrapes in a cluster, such as `namespace`: it would be
/// stored under another name.
#[macro_export]
macro_rules! labels {
    (
        $(#[doc = $about:literal])+
        $visibility:vis struct $name:ident {
            $($(#[doc = $meaning:literal])+ $of_field:vis $field:ident: $type:ty,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Eq, Hash, PartialEq, ::prometheus_client::encoding::EncodeLabelSet)]
        $visibility struct $name {
            $($(#[doc = $meaning])+ $of_field $field: $type,)+
        }

        impl $crate::Labelled for $name {
            const LABELS: &'static [$crate::Label] = &[
                $($crate::Label { name: stringify!($field), meaning: concat!($($meaning),+) },)+
            ];
        }
    };
}
