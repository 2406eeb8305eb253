//! What a process exposes.

use std::fmt;

use prometheus_client::{encoding::text, registry};

use crate::{
    Computed, Description, Measured, Who,
    computed::{AtEachScrape, descriptions},
};

/// The metrics of a process.
#[derive(Debug, Default)]
pub struct Registry {
    exposed: registry::Registry,
    prefix: String,
    descriptions: Vec<Description>,
}

impl Registry {
    /// Of metrics whose names begin with it and `_`.
    pub fn with_prefix(prefix: &str) -> Self {
        Self {
            exposed: registry::Registry::with_prefix(prefix),
            prefix: format!("{prefix}_"),
            descriptions: Vec::new(),
        }
    }

    /// Takes a metric. Its name has no ending such as `_total`; what it means is a sentence without a full stop.
    pub fn register<M: Measured>(
        &mut self,
        name: impl AsRef<str>,
        meaning: impl Into<String>,
        looks: Who,
        metric: M,
    ) {
        let (name, meaning) = (name.as_ref(), meaning.into());
        self.exposed.register(name, meaning.as_str(), metric);
        self.descriptions.push(M::described(format!("{}{name}", self.prefix), meaning, looks));
    }

    /// Takes metrics that are counted at each scrape.
    pub fn compute(&mut self, computed: impl Computed) {
        self.descriptions.extend(descriptions(&computed, &self.prefix));
        self.exposed.register_collector(Box::new(AtEachScrape(computed)));
    }

    /// What there is.
    pub fn descriptions(&self) -> &[Description] {
        &self.descriptions
    }

    /// All of it as it is now, in the text format of `OpenMetrics`.
    ///
    /// # Errors
    /// If a metric can't be written.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.exposed)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};

    use super::*;
    use crate::{Label, Teller, Unlabelled};

    crate::labels! {
        /// Of a thing.
        struct Labels {
            /// `red`, or
            /// `green`.
            colour: &'static str,
        }
    }

    #[derive(Debug)]
    struct Things(i64);

    impl Computed for Things {
        fn tell(&self, teller: &mut Teller<'_>) -> fmt::Result {
            let things = Family::<Labels, Gauge>::default();
            if self.0 > 0 {
                things.get_or_create(&Labels { colour: "red" }).set(self.0);
            }
            teller.metric("things", "Things by colour", Who::Planner, &things)
        }
    }

    #[test]
    fn what_is_described_is_what_is_exposed() {
        let mut registry = Registry::with_prefix("p");
        let (counter, date) = (Counter::<u64>::default(), Family::<Unlabelled, Gauge>::default());
        registry.register("done", "What was done", Who::OnCall, counter.clone());
        registry.register("end_timestamp_seconds", "When it ends", Who::Finder, date.clone());
        registry.register("took_seconds", "How long it took", Who::Finder, Histogram::new([1.0]));
        registry.compute(Things(2));
        let described: Vec<_> = registry
            .descriptions()
            .iter()
            .map(|one| (one.name.as_str(), one.kind.as_str(), one.unit(), one.labels.len()))
            .collect();
        assert_eq!(
            described,
            [
                ("p_done", "counter", "", 0),
                ("p_end_timestamp_seconds", "gauge", "seconds since 1970", 0),
                ("p_took_seconds", "histogram", "seconds", 0),
                ("p_things", "gauge", "", 1),
            ]
        );
        assert_eq!(
            registry.descriptions()[3].labels,
            [Label { name: "colour", meaning: " `red`, or `green`." }]
        );
        counter.inc();
        let text = registry.text().unwrap();
        // A date that isn't known isn't 1970.
        assert!(!text.contains("p_end"), "{text}");
        assert!(text.contains("# HELP p_things Things by colour.\n# TYPE p_things gauge\n"), "{text}");
        date.get_or_create(&Unlabelled).set(5);
        let text = registry.text().unwrap();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let named = |line: &&str| {
            let name = line.split(['{', ' ']).next().unwrap();
            registry.descriptions().iter().any(|one| one.series().iter().any(|series| series == name))
        };
        assert!(samples.iter().all(named), "{text}");
        assert!(samples.contains(&"p_things{colour=\"red\"} 2"), "{text}");
        assert!(samples.contains(&"p_done_total 1"), "{text}");
        assert!(samples.contains(&"p_end_timestamp_seconds{} 5"), "{text}");
    }

    #[test]
    fn what_is_counted_at_a_scrape_and_has_no_series_is_not_shown() {
        let mut registry = Registry::default();
        registry.compute(Things(0));
        assert_eq!(registry.descriptions().len(), 1);
        assert_eq!(registry.text().unwrap(), "# EOF\n");
    }
}
