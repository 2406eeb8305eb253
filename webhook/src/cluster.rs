//! What reviews need to know of the cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use api::Database;
use futures::future::{BoxFuture, join};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use policy::{document::Labels, message::and_more, quota::Used, quote::clean};

/// Looks things up. Every answer can be "not known", and each hook decides what that means.
pub trait Cluster: std::fmt::Debug + Send + Sync + 'static {
    /// The labels of a namespace; `None` when they can't be read.
    fn labels<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Option<Labels>>;

    /// Which databases of the namespace have a server, or get one; `None` when that can't be told.
    fn servers<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Option<Servers>>;

    /// The metadata of each database in the namespace, whether it can be read or not; `None` when they can't be listed.
    fn inside<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Option<Vec<ObjectMeta>>>;

    /// The objects of a kind that there are at this moment, whether they can be read or not; `None` when that can't be
    /// told.
    fn objects(&self, kind: Kind) -> BoxFuture<'_, Option<Objects>>;

    /// The records of kept data in the namespace; `None` when they can't be listed.
    fn kept<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Option<Objects>>;

    /// Whether there is a record of data that are kept of this database; `None` when that can't be told.
    fn is_kept<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Option<bool>>;

    /// Names of the databases in the namespace that are known to use this ServiceAccount.
    fn using(&self, _namespace: &str, _account: &str) -> Vec<String> {
        Vec::new()
    }

    /// The database of this namespace and name, as far as it is known.
    fn database(&self, _namespace: &str, _name: &str) -> Option<Arc<Database>> {
        None
    }

    /// Every database that is known; `None` when they can't be listed.
    fn databases(&self) -> Option<Vec<Arc<Database>>>;

    /// The labels of every namespace that is known.
    fn all_labels(&self) -> BTreeMap<String, Labels>;

    /// Whether the chart's admission policy refuses each delete that says nothing of the data; `None` when that can't be
    /// told.
    fn guard(&self) -> BoxFuture<'_, Option<bool>> {
        Box::pin(async { None })
    }

    /// The issuer of the tokens that the API server gives to ServiceAccounts; `None` when it can't be read.
    fn issuer(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async { None })
    }
}

/// The databases of a namespace that have a server, or get one, by name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Servers {
    /// Those that there are.
    pub live: BTreeSet<String>,
    /// Those that were deleted, and whose servers are kept.
    pub kept: BTreeSet<String>,
}

impl Servers {
    /// How many there are. One that is there again and one that is kept under its name are the same.
    pub(crate) fn used(&self) -> Used {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Used { live: count(self.live.len()), kept: count(self.kept.difference(&self.live).count()) }
    }
}

/// A kind of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Database,
    RetainedDatabase,
}

/// The objects of a kind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Objects {
    /// Namespace and name of a few of them.
    pub some: Vec<String>,
    pub count: usize,
}

impl Objects {
    /// As many as a message names.
    pub const SHOWN: u32 = 5;

    /// Those that are known, and how many there are besides.
    pub(crate) fn named(&self) -> String {
        let names: Vec<String> = self.some.iter().map(|name| clean(name)).collect();
        names.join(", ") + &and_more(self.count.saturating_sub(self.some.len()))
    }
}

/// Who issues the tokens of ServiceAccounts, as the API server says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Issuer {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// It can't be read.
    Unknown,
    Known(String),
}

/// What of the cluster a question depends on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Needs<'a> {
    /// The labels of this namespace.
    pub labels: Option<&'a str>,
    /// The databases of this namespace that have a server.
    pub servers_in: Option<&'a str>,
    /// The metadata of the databases in this namespace.
    pub inside: Option<&'a str>,
    /// Whether there are objects of this kind anywhere.
    pub objects: Option<Kind>,
    /// The records of kept data in this namespace.
    pub kept_in: Option<&'a str>,
    /// Whether data are kept of the database of this namespace and name.
    pub kept_of: Option<(&'a str, &'a str)>,
    /// The databases that use this ServiceAccount, given by its namespace and name.
    pub using: Option<(&'a str, &'a str)>,
    /// The database of this namespace and name, whose data another one is to begin with.
    pub source: Option<(&'a str, &'a str)>,
    /// Every database, and the labels of every namespace.
    pub databases: bool,
    /// The issuer of the API server.
    pub issuer: bool,
    /// Whether the chart's admission policy refuses each delete that says nothing of the data.
    pub guard: bool,
}

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Labels by namespace.
    pub labels: BTreeMap<String, Labels>,
    /// The databases of the namespace of the question that have a server.
    pub servers: Option<Servers>,
    /// The metadata of the databases in the namespace of the question; `None` when they can't be listed.
    pub inside: Option<Vec<ObjectMeta>>,
    /// The objects that there are anywhere; `None` when that can't be told.
    pub objects: Option<Objects>,
    /// The records of kept data in the namespace of the question; `None` when they can't be listed.
    pub kept: Option<Objects>,
    /// Whether data are kept of the database of the question; `None` when that can't be told.
    pub is_kept: Option<bool>,
    /// Names of the databases that use the ServiceAccount of the question, as far as they are known.
    pub using: Vec<String>,
    /// The database whose data the one of the question is to begin with, as far as it is known.
    pub source: Option<Arc<Database>>,
    /// Every database; `None` when they can't be listed.
    pub databases: Option<Vec<Arc<Database>>>,
    pub issuer: Issuer,
    /// Whether the chart's admission policy refuses each delete that says nothing; `None` when that can't be told.
    pub guard: Option<bool>,
}

impl Facts {
    /// Looks up what a question needs, and nothing else.
    pub async fn gather(needs: Needs<'_>, cluster: &dyn Cluster) -> Self {
        let mut facts = Self::default();
        if needs.databases {
            facts.databases = cluster.databases();
            facts.labels = cluster.all_labels();
        }
        // Each may take as long as a review can wait.
        let issuer = async {
            if !needs.issuer {
                return Issuer::NotAsked;
            }
            cluster.issuer().await.map_or(Issuer::Unknown, Issuer::Known)
        };
        let guard = async { if needs.guard { cluster.guard().await } else { None } };
        (facts.issuer, facts.guard) = join(issuer, guard).await;
        if let Some(namespace) = needs.labels
            && !facts.labels.contains_key(namespace)
            && let Some(labels) = cluster.labels(namespace).await
        {
            facts.labels.insert(namespace.to_owned(), labels);
        }
        if let Some(namespace) = needs.servers_in {
            facts.servers = cluster.servers(namespace).await;
        }
        if let Some(namespace) = needs.inside {
            facts.inside = cluster.inside(namespace).await;
        }
        if let Some(kind) = needs.objects {
            facts.objects = cluster.objects(kind).await;
        }
        if let Some(namespace) = needs.kept_in {
            facts.kept = cluster.kept(namespace).await;
        }
        if let Some((namespace, name)) = needs.kept_of {
            facts.is_kept = cluster.is_kept(namespace, name).await;
        }
        if let Some((namespace, account)) = needs.using {
            facts.using = cluster.using(namespace, account);
        }
        if let Some((namespace, name)) = needs.source {
            facts.source = cluster.database(namespace, name);
        }
        facts
    }
}
