//! Something of each object of a kind, as long as the object is there.

use std::collections::HashMap;

/// Values by the namespace and name of an object. What no list shows any more has gone while nobody watched.
#[derive(Debug)]
pub(crate) struct Listed<V> {
    /// Each with the last list that had begun when it was seen.
    all: HashMap<Box<str>, (u64, V)>,
    /// How many lists were begun.
    lists: u64,
}

// Derived, it would ask for a `V` that has a default.
impl<V> Default for Listed<V> {
    fn default() -> Self {
        Self { all: HashMap::new(), lists: 0 }
    }
}

impl<V> Listed<V> {
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&V> {
        self.all.get(&*key(namespace, name)).map(|(_, value)| value)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.all.values().map(|(_, value)| value)
    }

    /// Gives what was there before.
    pub(crate) fn insert(&mut self, namespace: &str, name: &str, value: V) -> Option<V> {
        self.all.insert(key(namespace, name), (self.lists, value)).map(|(_, before)| before)
    }

    pub(crate) fn remove(&mut self, namespace: &str, name: &str) -> Option<V> {
        self.all.remove(&*key(namespace, name)).map(|(_, value)| value)
    }

    /// A list begins: it shows all that is there.
    pub(crate) fn begin(&mut self) {
        self.lists += 1;
    }

    /// It is complete. Gives namespace, name and value of what it hasn't shown, and forgets them.
    pub(crate) fn end(&mut self) -> Vec<(String, String, V)> {
        let lists = self.lists;
        let gone = self.all.extract_if(|_, (list, _)| *list != lists);
        let gone = gone.filter_map(|(key, (_, value))| {
            let (namespace, name) = key.split_once('/')?;
            Some((namespace.to_owned(), name.to_owned(), value))
        });
        let gone = gone.collect();
        self.all.shrink_to_fit();
        gone
    }
}

fn key(namespace: &str, name: &str) -> Box<str> {
    // No name of Kubernetes has a slash.
    format!("{namespace}/{name}").into()
}
