//! What is known of a server that exists.

use std::collections::BTreeMap;

use api::{DatabaseSpec, version};

use crate::{
    catalogue::tier_of_grown,
    field::{self, LeftOut, Value},
    spec::{major, size_gib, tier},
};

/// What is known of a server that exists: it outranks defaults, and is what a change is a change from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// What runs, as a spec; what isn't known is absent. Azure may have grown the disk.
    pub running: DatabaseSpec,
    /// Whether all is known that a server can do without: of that, what is absent isn't there.
    pub is_whole: bool,
    /// Azure region, e.g. `norwayeast`.
    pub location: Option<String>,
}

/// A server of which nothing else is known.
impl From<DatabaseSpec> for Recorded {
    fn from(running: DatabaseSpec) -> Self {
        Self { running, ..Self::default() }
    }
}

impl Recorded {
    /// From the status of a `Database`; `None` before Azure has made its server.
    pub fn from_status(status: Option<&api::DatabaseStatus>) -> Option<Self> {
        let status = status?;
        let server = status.server.as_ref().filter(|server| server.id.is_some())?;
        let mut running = DatabaseSpec {
            version: server.version.as_deref().and_then(version::of_server),
            sku: server.sku.clone(),
            database_name: status.database_name.clone(),
            ..DatabaseSpec::default()
        };
        if server.size_gib.is_some() {
            running.storage.get_or_insert_default().size_gib = server.size_gib;
        }
        Some(Self { location: server.location.clone(), ..running.into() })
    }

    /// Major version that runs.
    pub fn major(&self) -> Option<u16> {
        major(&self.running)
    }

    /// Size of the disk in GiB.
    pub fn size_gib(&self) -> Option<i32> {
        size_gib(&self.running)
    }

    /// Whether it is known what the server has there, be it nothing.
    pub(crate) fn knows(&self, value: &Value) -> bool {
        (value.text)(&self.running).is_some() || (value.left_out == LeftOut::Filled && self.is_whole)
    }

    /// Of the fields whose stored values aren't known, one that isn't recorded either, although not every change of it is
    /// safe on a server that exists; its path below `spec`.
    pub fn unknown(&self, is_lost: impl Fn(&str) -> bool) -> Option<&'static str> {
        field::values()
            .filter(|(field, value)| value.one_way && is_lost(field.path))
            .find(|(_, value)| !self.knows(value))
            .map(|(field, _)| field.path)
    }

    /// The spec that this server stands for, beside a wanted one.
    ///
    /// Storage and version are floors, and so is what hangs on them: a disk that Azure has grown to more than the spec
    /// says is no attempt to shrink it, and a server that was upgraded in Azure none to take that back. What isn't known of
    /// the server is taken to be as wanted.
    pub(crate) fn as_spec(&self, wanted: &DatabaseSpec) -> DatabaseSpec {
        let mut spec = self.running.clone();
        for (_, value) in field::values().filter(|(_, value)| !self.knows(value)) {
            (value.copy)(&mut spec, wanted);
        }
        if let (Some(asked), Some(actual)) = (major(wanted), self.major())
            && asked < actual
        {
            spec.version.clone_from(&wanted.version);
        }
        if let Some(storage) = &mut spec.storage {
            if let (Some(wanted), Some(actual)) = (tier(wanted), self.size_gib())
                && storage.tier == Some(tier_of_grown(wanted, actual))
            {
                storage.tier = Some(wanted);
            }
            // The lesser of the two, where both are known.
            storage.size_gib = [size_gib(wanted), self.size_gib()].into_iter().flatten().min();
        }
        spec.parameters = spec.parameters.map(|running| spelt_alike(running, wanted.parameters.as_ref()));
        spec
    }
}

/// The parameters that run, by the names that a spec has for them: PostgreSQL doesn't care for case.
fn spelt_alike(
    running: BTreeMap<String, String>,
    wanted: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    // Of two spellings in one spec the first one counts.
    let spellings: BTreeMap<String, &String> = wanted
        .into_iter()
        .flat_map(BTreeMap::keys)
        .rev()
        .map(|name| (name.to_ascii_lowercase(), name))
        .collect();
    let spelling = |name: &String| spellings.get(&name.to_ascii_lowercase()).copied();
    running.into_iter().map(|(name, value)| (spelling(&name).cloned().unwrap_or(name), value)).collect()
}
