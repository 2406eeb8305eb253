//! How many connections are open.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts the connections to servers that are told to count theirs here: each from the moment at which the server has taken it
/// until it is closed, whether somebody was logged in or not.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<AtomicUsize>);

impl Connections {
    /// Those that are open.
    pub fn open(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn one_more(&self) -> Open {
        self.0.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Open(Connections);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
