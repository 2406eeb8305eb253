//! What can be refused on a `Database`: a file for each field, a small function for each rule.
//!
//! A rule looks at the filled-in spec. On an update it judges only what the request changes: a policy that
//! became stricter never stands in the way of a database that was fine when it was made.

mod authentication;
mod backup;
mod create_only;
mod databases_per_namespace;
mod extensions;
mod high_availability;
mod maintenance_window;
pub mod names;
mod parameters;
mod restore_from;
mod sku;
mod storage;
mod storage_tier;
mod version;

use std::cell::LazyCell;

use api::{DatabaseRef, DatabaseSpec, DefaultedField};
use jiff::{Timestamp, civil::Date};

use crate::{
    Code, Denial, Policy, Problem,
    catalogue::{Catalogue, Region, Size},
    defaults,
    document::{Exception, Labels, Level, Namespace, NoProfile, Profile, Rule},
    field,
    quota::Used,
    quote::quote,
    recorded::Recorded,
    restoring::Source,
    spec,
};

/// Name of the policy ConfigMap where no other is given.
pub const POLICY_NAME: &str = "database-policy";

/// What to do where the profile leaves nothing to write; a message ends with it.
pub(crate) const ASK: &str = "ask the platform team";

/// A `Database` that is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Name of the policy ConfigMap, for messages.
    pub policy_name: &'a str,
    pub namespace: &'a str,
    /// Labels of the namespace; `None` when they aren't known.
    pub labels: Option<&'a Labels>,
    /// What the namespace has already besides this one; `None` judges no quota.
    pub databases: Option<Used>,
    pub name: &'a str,
    pub new: &'a DatabaseSpec,
    /// The stored spec; `None` on creation.
    pub old: Option<&'a DatabaseSpec>,
    /// Fields that hold a default, as the object notes them: where a server runs, they give way to it.
    pub defaulted: &'a [DefaultedField],
    /// The current day in UTC: support of versions ends on a day.
    pub today: Date,
    /// What is known of the server whose data it is to begin with; `None` where there is none, or nothing is known of it.
    pub source: Option<&'a Source>,
    /// When it asks for these data; `None` where that was judged, or there are none.
    pub asked_at: Option<Timestamp>,
}

impl<'a> Request<'a> {
    /// A `Database` that is created: it has no recorded defaults, and nothing is known about its namespace. Who knows more writes
    /// it over this: `Request { old, ..Request::new(…) }`.
    pub fn new(policy_name: &'a str, database: DatabaseRef<'a>, new: &'a DatabaseSpec, today: Date) -> Self {
        let DatabaseRef { namespace, name } = database;
        Self {
            policy_name,
            namespace,
            labels: None,
            databases: None,
            name,
            new,
            old: None,
            defaulted: &[],
            today,
            source: None,
            asked_at: None,
        }
    }

    /// The one that is judged.
    pub fn database(&self) -> DatabaseRef<'a> {
        DatabaseRef::new(self.namespace, self.name)
    }

    /// What a server has that is to be made with the data of another one.
    pub(crate) fn comes_along(&self) -> Option<&'a Recorded> {
        Some(&self.source?.comes_along)
    }

    /// The namespace, as profiles look at it.
    pub fn in_namespace(&self) -> Namespace<'a> {
        Namespace { name: self.namespace, labels: self.labels }
    }

    /// A spec as it counts: with what runs where it holds nothing but a default, and filled in.
    fn in_force(
        &self,
        spec: &DatabaseSpec,
        old: Option<&DatabaseSpec>,
        recorded: Option<&Recorded>,
        profile: &Profile,
    ) -> DatabaseSpec {
        let recorded = recorded.or_else(|| self.comes_along());
        let effective = |spec| defaults::effective_over_defaults(spec, self.defaulted, recorded);
        let old = old.map(effective);
        defaults::fill(&effective(spec), old.as_ref(), recorded, profile, self.defaulted).spec
    }
}

/// What came of judging a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// `None` admits the request.
    pub denial: Option<Denial>,
    /// Rules that are broken, and only warned of.
    pub warned: Vec<Problem>,
    /// Rules that are broken in silence, or by an exception.
    pub audited: Vec<Problem>,
    /// The exceptions that lifted a broken rule, each once.
    pub excepted: Vec<Exception>,
}

/// What a rule sees.
#[derive(Clone, Copy)]
struct Context<'a> {
    request: &'a Request<'a>,
    policy: &'a Policy,
    profile: &'a Profile,
    /// Azure region: where the server is, or is to be.
    location: &'a str,
    /// The wanted spec, filled in.
    new: &'a DatabaseSpec,
    /// The stored spec, filled in, that the wanted one is a change of; `None` where all of it is judged.
    old: Option<&'a DatabaseSpec>,
    /// What is there already, filled in: what is advised must be possible from there.
    stored: Option<&'a DatabaseSpec>,
    /// What runs; `None` before Azure has made the server.
    recorded: Option<&'a Recorded>,
}

impl Context<'_> {
    /// Whether the request changes this; everything is new on creation.
    fn changed<T: PartialEq>(&self, value: impl Fn(&DatabaseSpec) -> T) -> bool {
        self.old.is_none_or(|old| value(old) != value(self.new))
    }

    /// What is known of what Azure offers.
    fn catalogue(&self) -> &Catalogue {
        self.policy.catalogue()
    }

    /// What the region has.
    fn region(&self) -> Region {
        self.catalogue().region(self.location)
    }

    /// The size that is wanted, if it is known.
    fn size(&self) -> Option<&Size> {
        self.catalogue().size(self.new.sku.as_deref()?)
    }

    /// The major version that is wanted.
    fn major(&self) -> Option<u16> {
        spec::major(self.new)
    }

    /// Major version of the server that Azure has made.
    fn running_version(&self) -> Option<u16> {
        self.recorded?.major().or_else(|| spec::major(self.stored?))
    }
}

/// A rule finds one problem at most, or one for each item of a list.
enum Check {
    One(fn(&Context<'_>) -> Option<Problem>),
    Each(fn(&Context<'_>) -> Vec<Problem>),
}

use Check::{Each, One};

/// Why a rule is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ground {
    /// No server can have such a value, whatever stands beside it.
    Exists,
    /// The value must go with the rest of the spec, and with where servers are.
    Fits,
    /// The platform's will, by a key of `allow`: a profile can take it less strictly, and an exception can lift it.
    Allowed(Rule),
    /// What is asked of a database alone, and not of a policy's defaults: its name, that nothing is missing, what it is a
    /// change of. So is what is known less of than of the rest, or changes by the day: it must not break a policy.
    Own,
}

impl Ground {
    /// The rule, where it is one of the platform's. The others are Azure's and PostgreSQL's.
    fn rule(self) -> Option<Rule> {
        match self {
            Self::Allowed(rule) => Some(rule),
            Self::Exists | Self::Fits | Self::Own => None,
        }
    }
}

use Ground::{Allowed, Exists, Fits, Own};

/// Every rule, in the order of the fields.
const RULES: &[(Ground, Check)] = &[
    (Own, One(names::object_name)),
    (Allowed(Rule::DatabasesPerNamespace), One(databases_per_namespace::within)),
    (Own, One(version::missing)),
    (Exists, One(version::known)),
    (Own, One(version::supported)),
    (Allowed(Rule::Versions), One(version::allowed)),
    (Own, One(version::upward)),
    (Own, One(sku::missing)),
    (Exists, One(sku::known)),
    (Allowed(Rule::Skus), One(sku::allowed)),
    (Own, One(sku::possible)),
    (Own, One(storage::missing)),
    (Exists, One(storage::size)),
    (Allowed(Rule::Storage), One(storage::limit)),
    (Own, One(storage::growing)),
    (Fits, One(storage_tier::fitting)),
    (Allowed(Rule::Storage), One(storage_tier::allowed)),
    (Fits, One(high_availability::possible)),
    (Allowed(Rule::HighAvailability), One(high_availability::allowed)),
    (Exists, One(backup::days_possible)),
    (Fits, One(backup::possible)),
    (Allowed(Rule::Backup), One(backup::retention_days)),
    (Allowed(Rule::Backup), One(backup::geo_redundant)),
    (Own, One(create_only::geo_redundant)),
    (Exists, One(backup::vault_known)),
    (Allowed(Rule::Backup), One(backup::vault_allowed)),
    (Exists, One(maintenance_window::hour)),
    (Own, One(names::database_name_shape)),
    (Own, One(create_only::database_name)),
    (Exists, Each(extensions::known)),
    (Exists, Each(extensions::once)),
    (Fits, Each(extensions::offered)),
    (Allowed(Rule::Extensions), Each(extensions::allowed)),
    (Exists, Each(parameters::settable)),
    (Exists, Each(parameters::once)),
    (Exists, Each(parameters::form)),
    (Fits, Each(parameters::library)),
    (Fits, Each(parameters::pooler)),
    (Allowed(Rule::Parameters), Each(parameters::allowed)),
    (Allowed(Rule::Authentication), One(authentication::allowed)),
    (Own, One(names::service_account_name_shape)),
    (Own, Each(restore_from::readable)),
    (Own, One(restore_from::permitted)),
    (Own, One(restore_from::stays)),
];

/// The problems that each rule finds which stands on such a ground. A rule that isn't asked isn't run either: what may be
/// written instead can take long to find.
fn problems(
    context: &Context<'_>,
    is_asked: impl Fn(Ground) -> bool,
) -> impl Iterator<Item = (Ground, Problem)> {
    RULES.iter().filter(move |(ground, _)| is_asked(*ground)).flat_map(|(ground, check)| {
        let found = match check {
            One(check) => check(context).into_iter().collect(),
            Each(check) => check(context),
        };
        found.into_iter().map(|problem| (*ground, problem))
    })
}

impl Policy {
    /// Judges a `Database` that is created or changed.
    pub fn judge(&self, request: &Request<'_>, recorded: Option<&Recorded>) -> Verdict {
        let profile = match self.profile(request.in_namespace()) {
            Ok(profile) => profile,
            Err(why) => {
                return Verdict { denial: Some(Self::no_profile(request, why)), ..Verdict::default() };
            }
        };
        let in_force = |spec, old| request.in_force(spec, old, recorded, profile);
        let old = request.old.map(|old| in_force(old, Some(old)));
        let new = in_force(request.new, request.old);
        let location = self.location(recorded.or_else(|| request.comes_along()));
        let old = old.as_ref();
        let policy = self;
        let context = Context { request, policy, profile, location, new: &new, old, stored: old, recorded };
        let mut verdict = Verdict::default();
        let mut denied = Vec::new();
        for (ground, problem) in problems(&context, |_| true) {
            let rule = ground.rule();
            // Of a version that nobody can have, one refusal is enough.
            let is_told =
                |denied: &[Problem]| denied.iter().any(|problem| problem.code == Code::VersionOutOfSupport);
            if problem.code == Code::VersionNotAllowed && is_told(&denied) {
                continue;
            }
            let exception =
                rule.and_then(|rule| self.exception(request.namespace, request.name, rule, request.today));
            if let Some(exception) = exception {
                verdict.audited.push(problem);
                if !verdict.excepted.contains(exception) {
                    verdict.excepted.push(exception.clone());
                }
                continue;
            }
            match rule.map_or(Level::Enforce, |rule| profile.enforcement.level(rule)) {
                Level::Enforce => denied.push(problem),
                Level::Warn => verdict.warned.push(problem),
                Level::Audit => verdict.audited.push(problem),
            }
        }
        verdict.denial = (!denied.is_empty()).then(|| Denial {
            problems: denied,
            policy: request.policy_name.to_owned(),
            profile: Some(profile.name.clone()),
        });
        verdict
    }

    /// What this policy wouldn't let pass if the database were made today, and how strictly it takes that.
    /// Exceptions count, and quotas don't: it isn't known which database is one too many.
    pub fn breaches(&self, request: &Request<'_>, recorded: Option<&Recorded>) -> Vec<(Level, Problem)> {
        let profile = match self.profile(request.in_namespace()) {
            Ok(profile) => profile,
            Err(NoProfile::LabelsUnknown) => return Vec::new(),
            Err(why) => {
                let problems = Self::no_profile(request, why).problems;
                return problems.into_iter().map(|problem| (Level::Enforce, problem)).collect();
            }
        };
        // As it is stored and as it runs: no default is filled into what was made without.
        let new = request.in_force(request.new, Some(request.new), recorded, profile);
        let request = Request { old: None, databases: None, ..*request };
        let location = self.location(recorded.or_else(|| request.comes_along()));
        let (policy, request, stored) = (self, &request, Some(&new));
        let context = Context { request, policy, profile, location, new: &new, old: None, stored, recorded };
        let excepted = |rule| self.exception(request.namespace, request.name, rule, request.today).is_some();
        problems(&context, |ground| ground.rule().is_some_and(|rule| !excepted(rule)))
            .filter_map(|(ground, problem)| Some((ground.rule()?, problem)))
            .map(|(rule, problem)| (profile.enforcement.level(rule), problem))
            .collect()
    }

    /// What is wrong with the defaults of a profile, as with the spec of a new database that has nothing else.
    pub(crate) fn judge_defaults(&self, profile: &Profile) -> Vec<(Ground, Problem)> {
        let new = &profile.defaults;
        // A policy holds on every day or on none.
        let request = &Request::new(POLICY_NAME, DatabaseRef::new("", ""), new, Date::MIN);
        let location = self.location(None);
        let context = Context {
            request,
            policy: self,
            profile,
            location,
            new,
            old: None,
            stored: None,
            recorded: None,
        };
        // What a field is when it is left out is the defaults' matter only where they make it so, as the size of a disk does
        // with its tier.
        let nothing = DatabaseSpec::default();
        let is_asked = |ground| ground != Own;
        let changes = Context { old: Some(&nothing), ..context };
        let brought = LazyCell::new(|| problems(&changes, is_asked).collect::<Vec<_>>());
        problems(&context, is_asked)
            .filter(|found| field::is_written(&found.1.field, new) || brought.contains(found))
            .collect()
    }

    /// Where the server is: a policy that names another place doesn't move it.
    pub(crate) fn location<'a>(&'a self, recorded: Option<&'a Recorded>) -> &'a str {
        let actual = recorded.and_then(|recorded| recorded.location.as_deref());
        actual.unwrap_or(&self.azure.location.value)
    }

    pub(crate) fn no_profile(request: &Request<'_>, why: NoProfile) -> Denial {
        let namespace = quote(request.namespace);
        let (code, text) = match why {
            NoProfile::NoMatch => (
                Code::PolicyNoProfile,
                format!(
                    "{namespace} is matched by no profile of the policy, so no database is allowed in it; \
                     ask the platform team to add one"
                ),
            ),
            NoProfile::LabelsUnknown => (
                Code::LabelsUnknown,
                format!(
                    "{namespace} has labels that can't be read at the moment, and the policy depends on them; \
                     apply again in a minute"
                ),
            ),
        };
        Denial {
            problems: vec![Problem::new(code, "metadata.namespace", &text)],
            policy: request.policy_name.to_owned(),
            profile: None,
        }
    }
}

/// The denial for a field that neither spec nor policy gives. Rules refuse it earlier; this keeps
/// `resolve` free of panics.
pub(crate) fn missing(policy: &Policy, request: &Request<'_>, field: &str) -> Denial {
    Denial {
        problems: vec![Problem::new(
            Code::Missing,
            &format!("spec.{field}"),
            "is missing, and the policy has no default for it",
        )],
        policy: request.policy_name.to_owned(),
        profile: policy.profile(request.in_namespace()).ok().map(|profile| profile.name.clone()),
    }
}

#[cfg(test)]
mod tests;
