//! Logs on standard error. Whoever reads them can stall, and must not stop those who write: what doesn't fit any more is
//! left out and counted.

use std::{
    fmt,
    io::{IsTerminal, Write},
    panic::PanicHookInfo,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::counter::ConstCounter,
    registry::Registry,
};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that wait to be written: a burst fits, and little memory is enough.
const LINES: usize = 2048;

/// Ends with the process, and writes what is left.
#[derive(Debug)]
pub struct Logs {
    _guard: WorkerGuard,
    dropped: ErrorCounter,
}

impl Logs {
    /// For people on a terminal, as JSON lines elsewhere. `RUST_LOG` filters.
    pub fn init() -> Self {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let (writer, guard) = writer(std::io::stderr());
        let dropped = writer.error_counter();
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
        let result = if std::io::stderr().is_terminal() {
            builder.with_target(false).try_init()
        } else {
            builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        };
        // Only a second call in one process fails, and then the first one stands.
        drop(result);
        std::panic::set_hook(Box::new(tell_of_panic));
        Self { _guard: guard, dropped }
    }

    /// The metric of what was left out.
    pub fn dropped(&self) -> Dropped {
        Dropped(self.dropped.clone())
    }
}

fn writer(to: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES).finish(to)
}

/// The place only: the message of a panic can hold what somebody wrote into a manifest.
pub fn tell_of_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "a panic; this is a bug");
}

/// How many lines were left out.
#[derive(Debug)]
pub struct Dropped(ErrorCounter);

impl Dropped {
    pub(super) fn register(self, registry: &mut Registry) {
        registry.register_collector(Box::new(self));
    }
}

impl Collector for Dropped {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let lines = ConstCounter::new(u64::try_from(self.0.dropped_lines()).unwrap_or(u64::MAX));
        let help = "Lines of the log that were left out because nobody read them in time.";
        let encoder = encoder.encode_descriptor("log_lines_dropped", help, None, lines.metric_type())?;
        lines.encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use prometheus_client::encoding::text::encode;

    use super::*;

    /// Writes nothing before the sender is gone.
    struct Stalled(mpsc::Receiver<()>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            // An error says that the sender is gone.
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stalls_stops_nobody_and_what_is_left_out_is_counted() {
        let (reads_on, stalled) = mpsc::channel();
        let (mut writer, guard) = writer(Stalled(stalled));
        let mut registry = Registry::with_prefix("database_operator");
        Dropped(writer.error_counter()).register(&mut registry);
        for _ in 0..LINES + 100 {
            writer.write_all(b"a line\n").unwrap();
        }
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let shown =
            text.lines().find_map(|line| line.strip_prefix("database_operator_log_lines_dropped_total "));
        // One at the most is under way.
        assert!(["99", "100"].contains(&shown.unwrap()), "{text}");
        drop(reads_on);
        drop(guard);
    }
}
