//! What people must know of a metric.

use crate::Label;

/// Who looks at a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    /// Whoever is on call, since an alert goes by it.
    OnCall,
    /// The platform team, when it plans: what is old, what costs.
    Planner,
    /// Whoever looks for the cause of something.
    Finder,
}

impl Who {
    /// As the page has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnCall => "who is on call",
            Self::Planner => "the platform team, when it plans",
            Self::Finder => "who looks for a cause",
        }
    }
}

/// A metric, for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Description {
    /// Without the ending that its type gives it.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: String,
    pub labels: &'static [Label],
    pub meaning: String,
    pub looks: Who,
}

impl Description {
    /// The unit, as the name says it; none of a number of things.
    pub fn unit(&self) -> &'static str {
        if self.name.ends_with("_timestamp_seconds") || self.name.ends_with("_not_after_seconds") {
            "seconds since 1970"
        } else if self.name.ends_with("_seconds") {
            "seconds"
        } else {
            ""
        }
    }

    /// The names of its series.
    pub fn series(&self) -> Vec<String> {
        let with = |ending: &str| format!("{}{ending}", self.name);
        match self.kind.as_str() {
            "counter" => vec![with("_total")],
            "info" => vec![with("_info")],
            "histogram" => vec![with("_bucket"), with("_sum"), with("_count")],
            _ => vec![self.name.clone()],
        }
    }
}
