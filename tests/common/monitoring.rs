//! The alerts and the dashboard of the chart, and what their expressions ask for.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fs,
    path::PathBuf,
};

use exposition::Description;
use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{self, Expr, LabelModifier, VectorSelector},
    util::{ExprVisitor, walk_expr},
};
use serde::Deserialize;
use serde_json::Value;

/// A file of the chart's.
pub fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "charts/database-operator/files", name].iter().collect()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    pub groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub name: String,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub alert: String,
    pub expr: String,
    #[serde(rename = "for")]
    pub lasting: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

pub fn groups() -> Vec<Group> {
    let rules: Rules = serde_saphyr::from_str(&fs::read_to_string(file("alerts.yaml")).unwrap()).unwrap();
    rules.groups
}

pub fn rules() -> Vec<Rule> {
    groups().into_iter().flat_map(|group| group.rules).collect()
}

pub fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(file("dashboard.json")).unwrap()).unwrap()
}

/// The expressions of a panel, with its variables filled in as Grafana does.
pub fn expressions(panel: &Value) -> Vec<String> {
    let targets = panel["targets"].as_array().into_iter().flatten();
    targets.map(|target| target["expr"].as_str().unwrap().replace("$__rate_interval", "2m")).collect()
}

/// The metrics of all processes, by the names of their series.
pub struct Exposed(BTreeMap<String, Description>);

impl Exposed {
    pub fn new() -> Self {
        let all = database_operator::cli::metrics().into_iter().flat_map(|(_, descriptions)| descriptions);
        let by_series = all.flat_map(|one| one.series().into_iter().map(move |name| (name, one.clone())));
        Self(by_series.collect())
    }

    pub fn metric(&self, series: &str) -> Option<&Description> {
        self.0.get(series)
    }

    /// The names of its labels, as an expression sees them.
    pub fn labels(&self, series: &str) -> BTreeSet<&str> {
        let own = self.0[series].labels.iter().map(|label| label.name);
        own.chain(series.ends_with("_bucket").then_some("le")).collect()
    }

    /// Each metric by the name of its own.
    pub fn names(&self) -> BTreeSet<&str> {
        self.0.values().map(|one| one.name.as_str()).collect()
    }

    /// What an expression asks for: the series, and what is wrong with how it does.
    pub fn asked(&self, expression: &str) -> (BTreeSet<String>, Vec<String>) {
        let parsed = parser::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        let mut asked = Asked { exposed: self, series: BTreeSet::new(), count: 0, wrong: Vec::new() };
        asked.visit(&parsed);
        // Or the walk leaves something out.
        assert_eq!(asked.count, expression.matches("database_operator_").count(), "{expression}");
        (asked.series, asked.wrong)
    }
}

struct Asked<'a> {
    exposed: &'a Exposed,
    series: BTreeSet<String>,
    count: usize,
    wrong: Vec<String>,
}

impl Asked<'_> {
    fn visit(&mut self, expression: &Expr) {
        let Ok(_) = walk_expr(self, expression);
    }

    fn selector(&mut self, selector: &VectorSelector) {
        let name = selector.name.as_deref().unwrap_or_default();
        self.count += 1;
        let Some(metric) = self.exposed.metric(name) else {
            self.wrong.push(format!("{name} is not exposed"));
            return;
        };
        self.series.insert(name.to_owned());
        for matcher in &selector.matchers.matchers {
            if !self.exposed.labels(name).contains(matcher.name.as_str()) {
                self.wrong.push(format!("{name} has no label {}", matcher.name));
            } else if let Some(value) =
                values(matcher).into_iter().find(|value| !takes(metric, matcher, value))
            {
                self.wrong.push(format!("{name} never has {}=\"{value}\"", matcher.name));
            }
        }
    }

    /// Labels by which something is grouped must be those of all that is below it.
    fn grouping(&mut self, labels: &[String], below: &Expr) {
        let mut inner = Asked { exposed: self.exposed, series: BTreeSet::new(), count: 0, wrong: Vec::new() };
        inner.visit(below);
        for series in &inner.series {
            let has = self.exposed.labels(series);
            let strange = labels.iter().filter(|label| !has.contains(label.as_str()));
            self.wrong.extend(strange.map(|label| format!("{series} has no label {label}")));
        }
    }
}

impl ExprVisitor for Asked<'_> {
    type Error = Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Infallible> {
        match expression {
            Expr::VectorSelector(selector) => self.selector(selector),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs),
            Expr::Aggregate(aggregate) => {
                if let Some(LabelModifier::Include(by) | LabelModifier::Exclude(by)) = &aggregate.modifier {
                    self.grouping(&by.labels, &aggregate.expr);
                }
            }
            _ => {}
        }
        Ok(true)
    }
}

/// The values that a matcher names.
fn values(matcher: &Matcher) -> Vec<&str> {
    match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => vec![&matcher.value],
        MatchOp::Re(_) | MatchOp::NotRe(_) => matcher.value.split('|').collect(),
    }
}

/// Whether a metric can have this value: where they are a closed set, the label's meaning names each in backquotes.
fn takes(metric: &Description, matcher: &Matcher, value: &str) -> bool {
    let label = metric.labels.iter().find(|label| label.name == matcher.name).unwrap();
    label.meaning.contains(&format!("`{value}`"))
        || label.meaning.contains("as the condition") && api::reason::Reason::parse(value).is_some()
}
