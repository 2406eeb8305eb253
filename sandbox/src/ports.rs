//! Free ports on the loopback address.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Below the range that Linux takes the ports of outgoing connections from (32768 and up): a port stays ours while
/// the process that listens on it is restarted.
const RANGE: Range<u16> = 20_000..32_000;

/// For servers that come and go while the programs of the sandbox are restarted.
const SERVERS: Range<u16> = 10_000..20_000;

#[derive(Debug, thiserror::Error)]
#[error(
    "no free port between {} and {} on 127.0.0.1: end what occupies them (`ss -ltnp` lists it)",
    RANGE.start,
    RANGE.end
)]
pub struct Error;

/// Hands out ports that nobody listens on, none of them twice.
#[derive(Debug)]
pub(crate) struct Ports {
    range: Range<u16>,
    next: u16,
    left: u16,
    taken: Vec<u16>,
}

impl Ports {
    /// Starts at a place that depends on the process, so that sandboxes that start at the same time don't ask for
    /// the same ports.
    pub(crate) fn new() -> Self {
        Self::within(RANGE)
    }

    /// Without those that are somebody's already, who may not listen yet.
    pub(crate) fn without(taken: Vec<u16>) -> Self {
        Self { taken, ..Self::new() }
    }

    /// Of those that no program of a sandbox is given.
    pub(crate) fn for_servers() -> Self {
        Self::within(SERVERS)
    }

    fn within(range: Range<u16>) -> Self {
        let size = range.end - range.start;
        let spread = std::process::id().wrapping_mul(97) % u32::from(size);
        Self {
            next: range.start + u16::try_from(spread).unwrap_or_default(),
            left: size,
            range,
            taken: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self) -> Result<u16, Error> {
        while self.left > 0 {
            let port = self.next;
            self.left -= 1;
            self.next = if port + 1 < self.range.end { port + 1 } else { self.range.start };
            if !self.taken.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
        Err(Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_never_handed_out_twice() {
        let mut ports = Ports::new();
        let first = ports.take().unwrap();
        let second = ports.take().unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn servers_take_no_port_that_a_program_may_come_back_to() {
        let port = Ports::for_servers().take().unwrap();
        assert!(SERVERS.contains(&port) && !RANGE.contains(&port));
    }

    #[test]
    fn a_port_that_is_in_use_is_skipped() {
        let mut ports = Ports::new();
        let occupied = ports.take().unwrap();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, occupied)).unwrap();
        let mut again = Ports { next: occupied, left: 2, range: RANGE, taken: Vec::new() };
        assert_ne!(again.take().ok(), Some(occupied));
    }

    #[test]
    fn a_port_that_is_somebodys_is_skipped_also_when_nobody_listens() {
        let port = Ports::new().take().unwrap();
        assert_ne!(Ports::without(vec![port]).take().ok(), Some(port));
    }
}
