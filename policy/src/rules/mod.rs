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
mod sku;
mod spec;
mod storage;
mod storage_tier;
mod version;

use api::{DatabaseSpec, DefaultedField};
use jiff::civil::Date;

use crate::{
    Code, Denial, Policy, Problem,
    catalogue::{Catalogue, Region, Size},
    defaults,
    document::{Exception, Labels, Level, Namespace, NoProfile, Profile, Rule},
    quota::Used,
    quote::quote,
    recorded::Recorded,
};

/// Name of the policy ConfigMap where no other is given.
pub const POLICY_NAME: &str = "database-policy";

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
}

impl<'a> Request<'a> {
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
        let yielding = |spec| defaults::yielding(spec, self.defaulted, recorded);
        let old = old.map(yielding);
        defaults::fill(&yielding(spec), old.as_ref(), recorded, profile, self.defaulted).spec
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
        self.new.version.as_ref().and_then(api::version::major)
    }

    /// Major version of the server that Azure has made.
    fn running_version(&self) -> Option<u16> {
        let stored = || api::version::major(self.stored?.version.as_ref()?);
        self.recorded?.version.or_else(stored)
    }
}

/// A rule finds one problem at most, or one for each item of a list.
enum Check {
    One(fn(&Context<'_>) -> Option<Problem>),
    Each(fn(&Context<'_>) -> Vec<Problem>),
}

use Check::{Each, One};

/// Every rule, in the order of the fields. Those with a name are the platform's: a profile can take them less
/// strictly, and an exception can lift them. The others are Azure's and PostgreSQL's.
const RULES: &[(Option<Rule>, Check)] = &[
    (None, One(names::object_name)),
    (Some(Rule::DatabasesPerNamespace), One(databases_per_namespace::within)),
    (None, One(version::missing)),
    (None, One(version::known)),
    (None, One(version::supported)),
    (Some(Rule::Versions), One(version::allowed)),
    (None, One(version::upward)),
    (None, One(sku::missing)),
    (None, One(sku::known)),
    (Some(Rule::Skus), One(sku::allowed)),
    (None, One(sku::possible)),
    (None, One(storage::missing)),
    (None, One(storage::size)),
    (Some(Rule::Storage), One(storage::limit)),
    (None, One(storage::growing)),
    (None, One(storage_tier::fitting)),
    (Some(Rule::Storage), One(storage_tier::allowed)),
    (None, One(high_availability::possible)),
    (Some(Rule::HighAvailability), One(high_availability::allowed)),
    (None, One(backup::days_possible)),
    (None, One(backup::possible)),
    (Some(Rule::Backup), One(backup::retention_days)),
    (Some(Rule::Backup), One(backup::geo_redundant)),
    (None, One(create_only::geo_redundant)),
    (None, One(maintenance_window::hour)),
    (None, One(names::database_name_shape)),
    (None, One(create_only::database_name)),
    (None, Each(extensions::known)),
    (None, Each(extensions::once)),
    (None, Each(extensions::offered)),
    (Some(Rule::Extensions), Each(extensions::allowed)),
    (None, Each(parameters::settable)),
    (None, Each(parameters::once)),
    (None, Each(parameters::form)),
    (None, Each(parameters::library)),
    (None, Each(parameters::pooler)),
    (Some(Rule::Parameters), Each(parameters::allowed)),
    (Some(Rule::Authentication), One(authentication::allowed)),
    (None, One(names::service_account_name_shape)),
];

/// The problems that each rule finds.
fn problems(context: &Context<'_>) -> impl Iterator<Item = (Option<Rule>, Problem)> {
    RULES.iter().flat_map(|(rule, check)| {
        let found = match check {
            One(check) => check(context).into_iter().collect(),
            Each(check) => check(context),
        };
        found.into_iter().map(|problem| (*rule, problem))
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
        let location = self.location(recorded);
        let old = old.as_ref();
        let policy = self;
        let context = Context { request, policy, profile, location, new: &new, old, stored: old, recorded };
        let mut verdict = Verdict::default();
        let mut denied = Vec::new();
        for (rule, problem) in problems(&context) {
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
    /// Exceptions count, and quotas don't: which database is one too many can't be told.
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
        let location = self.location(recorded);
        let (policy, request, stored) = (self, &request, Some(&new));
        let context = Context { request, policy, profile, location, new: &new, old: None, stored, recorded };
        let excepted = |rule| self.exception(request.namespace, request.name, rule, request.today).is_some();
        problems(&context)
            .filter_map(|(rule, problem)| Some((rule.filter(|rule| !excepted(*rule))?, problem)))
            .map(|(rule, problem)| (profile.enforcement.level(rule), problem))
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
