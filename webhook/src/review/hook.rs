//! The webhooks, by their paths.

/// Which of the webhooks is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hook {
    /// Fills in defaults of a `Database`.
    Mutate,
    /// Judges a `Database`.
    Validate,
    /// Judges the ConfigMap of the policy.
    Policy,
    /// Judges the deletion of a namespace.
    Namespace,
    /// Judges the deletion of a CRD.
    Crd,
    /// Judges a `RetainedDatabase`.
    Retained,
}

impl Hook {
    /// Every hook with its path.
    pub const ALL: &[(&str, Self)] = &[
        ("/mutate", Self::Mutate),
        ("/validate", Self::Validate),
        ("/validate/policy", Self::Policy),
        ("/validate/namespace", Self::Namespace),
        ("/validate/crd", Self::Crd),
        ("/validate/retained", Self::Retained),
    ];

    /// As metrics and logs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
            Self::Policy => "policy",
            Self::Namespace => "namespace",
            Self::Crd => "crd",
            Self::Retained => "retained",
        }
    }

    /// What it is about.
    pub(super) fn kind(self) -> (&'static str, &'static str) {
        match self {
            Self::Mutate | Self::Validate => (api::GROUP, "Database"),
            Self::Policy => ("", "ConfigMap"),
            Self::Namespace => ("", "Namespace"),
            Self::Crd => ("apiextensions.k8s.io", "CustomResourceDefinition"),
            Self::Retained => (api::GROUP, "RetainedDatabase"),
        }
    }
}
