//! Metrics that are counted when somebody asks for them.

use std::fmt;

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use crate::{Description, Measured, Who};

/// Metrics that are counted at each scrape.
pub trait Computed: fmt::Debug + Send + Sync + 'static {
    /// Tells of each of its metrics as it is now, and always of the same ones: one without series isn't shown.
    ///
    /// # Errors
    /// If the text can't be written.
    fn tell(&self, teller: &mut Teller<'_>) -> fmt::Result;
}

/// Takes metrics.
#[derive(Debug)]
pub struct Teller<'a>(To<'a>);

#[derive(Debug)]
enum To<'a> {
    Exposition(DescriptorEncoder<'a>),
    /// Of descriptions, and what their names begin with.
    Descriptions(&'a mut Vec<Description>, &'a str),
}

impl Teller<'_> {
    /// Tells of a metric.
    ///
    /// # Errors
    /// If the text can't be written.
    pub fn metric<M: Measured>(&mut self, name: &str, meaning: &str, looks: Who, metric: &M) -> fmt::Result {
        match &mut self.0 {
            To::Descriptions(descriptions, prefix) => {
                descriptions.push(M::described(format!("{prefix}{name}"), meaning.to_owned(), looks));
                Ok(())
            }
            To::Exposition(_) if metric.is_empty() => Ok(()),
            To::Exposition(encoder) => {
                let encoder =
                    encoder.encode_descriptor(name, &format!("{meaning}."), None, metric.metric_type())?;
                metric.encode(encoder)
            }
        }
    }
}

/// As the library takes it.
#[derive(Debug)]
pub(crate) struct AtEachScrape<C>(pub(crate) C);

impl<C: Computed> Collector for AtEachScrape<C> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.tell(&mut Teller(To::Exposition(encoder)))
    }
}

/// What it tells of.
pub(crate) fn descriptions(computed: &impl Computed, prefix: &str) -> Vec<Description> {
    let mut descriptions = Vec::new();
    // Only text can fail to be written.
    let _ = computed.tell(&mut Teller(To::Descriptions(&mut descriptions, prefix)));
    descriptions
}
