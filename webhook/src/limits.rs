//! How much of everything, and for how long.

use std::time::Duration;

/// What one process takes on. The defaults fit a container of 64 MiB: in the worst case some 16 MiB for connections,
/// 12 MiB for small bodies, 9 MiB for large ones, and as much again for what is built of them: texts that stand in them,
/// of a spec no more parts than the schema allows, and one policy. docs/performance.md has what attacks come to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once. An API server has one for each request at a time, and keeps at most 25 idle ones.
    pub connections: usize,
    /// The TLS handshake. The API server gives up after ten seconds at the most; whoever takes longer is not it.
    pub handshake: Duration,
    /// The head of a request, from its first byte, and the preface of an HTTP/2 connection.
    pub head: Duration,
    /// HTTP/1.1 without a request. Go's client closes after 90 seconds, and must be the one that does: a request
    /// that crosses our close on its way is a request that fails.
    pub idle: Duration,
    /// HTTP/2 without a sign of life, before a ping asks for one.
    pub ping_after: Duration,
    /// The answer to that ping.
    pub ping: Duration,
    /// Requests whose bodies are read at once: as many as connections, each of which reads one at a time, and as many
    /// again that have come whole.
    pub bodies: usize,
    /// The body of a request. The chart has the API server wait for five seconds for the whole review.
    pub body: Duration,
    /// A policy, which is judged on a thread of its own and after those that came before it.
    pub policy: Duration,
    /// After the signal to stop: that the pod is unready passes through the Service to the rules of each node, and
    /// new connections come until then. With `drain` it fits the 30 seconds that Kubernetes gives a pod.
    pub settle: Duration,
    /// What is left after that, to be answered. For half of it idle connections of HTTP/1.1 are kept, since a request
    /// may be on its way.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(5),
            idle: Duration::from_secs(150),
            ping_after: Duration::from_secs(30),
            ping: Duration::from_secs(10),
            bodies: 256,
            body: Duration::from_secs(5),
            policy: Duration::from_secs(4),
            settle: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_fits_into_the_grace_period_of_a_pod() {
        let Limits { settle, drain, .. } = Limits::default();
        assert!(settle + drain <= Duration::from_secs(25));
    }
}
