//! Stories go side by side, but for those that break something for everybody.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static STORIES: RwLock<()> = RwLock::new(());

/// As long as this lives, a story goes on.
pub(crate) enum Turn {
    BesideOthers { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

impl Turn {
    pub(crate) fn beside_others() -> Self {
        // A story that failed has said so itself.
        Self::BesideOthers { _guard: STORIES.read().unwrap_or_else(PoisonError::into_inner) }
    }

    pub(crate) fn alone() -> Self {
        Self::Alone { _guard: STORIES.write().unwrap_or_else(PoisonError::into_inner) }
    }
}
