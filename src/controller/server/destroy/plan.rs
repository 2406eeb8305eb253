//! What is written next to end a server, or to keep it. Pure: it goes by how the objects stand, and gives the writes.
//!
//! An object first gets the reconcile policy with which its resource in Azure is deleted along with it, and is deleted when the
//! caches show that. Who changes their mind in between finds the object as it was but for that annotation.

use crate::{
    azure::{
        self, AsoObject, FlexibleServer, adoption,
        condition::{self, Progress},
    },
    controller::server::objects::{Act, Objects, Part, Policy},
};

/// How far it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Removal {
    /// Nothing is left.
    Done,
    /// Something was written, or Azure works on it.
    UnderWay,
    /// Azure refuses, or gives up: its own words.
    Refused { reason: String, message: String },
}

impl Removal {
    fn of(progress: Progress) -> Self {
        match progress {
            Progress::GaveUp { reason, message } | Progress::Retrying { reason, message } => {
                Self::Refused { reason, message }
            }
            Progress::Ready | Progress::Sent | Progress::Working => Self::UnderWay,
        }
    }

    /// What comes next once this is done.
    pub(crate) fn then(self, next: impl FnOnce() -> Self) -> Self {
        if self == Self::Done { next() } else { self }
    }
}

/// What a pass that destroys a server comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Wait,
    /// Nothing would end the server in Azure.
    Impossible,
    /// That it is being destroyed has to be noted, before the object is deleted.
    Note,
    GoOn(Removal),
}

/// How an object stands.
struct Standing {
    part: Part,
    is_going: bool,
    /// `None` for one that nobody here writes.
    policy: Option<Policy>,
    progress: Progress,
}

impl Standing {
    fn of<K: AsoObject>(part: Part, object: &K) -> Self {
        let policies = [Policy::Manage, Policy::DetachOnDelete, Policy::Skip];
        Self {
            part,
            is_going: object.meta().deletion_timestamp.is_some(),
            policy: policies.into_iter().find(|policy| azure::has_policy(object, policy.as_str())),
            progress: condition::progress(object),
        }
    }

    /// Whether the resource in Azure is deleted along with the object.
    fn deletes_azure_resource(&self) -> bool {
        self.policy == Some(Policy::Manage)
    }

    /// Ends the object and its resource in Azure.
    fn remove(self, acts: &mut Vec<Act<'static>>) -> Removal {
        if self.is_going {
            // Azure Service Operator tells what keeps it from deleting.
            return Removal::of(self.progress);
        }
        acts.push(match self.policy {
            Some(Policy::Manage) => Act::Delete(self.part),
            _ => Act::SetPolicy(self.part, Policy::Manage),
        });
        Removal::UnderWay
    }

    /// Deletes the object, whose resource in Azure is gone with its server, or stays.
    fn release(&self, acts: &mut Vec<Act<'static>>) {
        if !self.is_going && !self.deletes_azure_resource() {
            acts.push(Act::Delete(self.part));
        }
    }
}

fn remove<K: AsoObject>(part: Part, object: Option<&K>, acts: &mut Vec<Act<'static>>) -> Removal {
    object.map_or(Removal::Done, |object| Standing::of(part, object).remove(acts))
}

fn release<K: AsoObject>(part: Part, object: Option<&K>, acts: &mut Vec<Act<'static>>) {
    if let Some(object) = object {
        Standing::of(part, object).release(acts);
    }
}

/// Whether an object only looks, and may be about somebody else's server.
fn may_be_anothers(server: &FlexibleServer) -> bool {
    adoption::is_probe(server) && !adoption::probe_found_nothing(server)
}

/// Goes on destroying a server. `is_noted` tells whether its record says so already: who starts anew must know why the server
/// isn't there.
pub(super) fn destroy(objects: &Objects, is_noted: bool) -> (Vec<Act<'static>>, Step) {
    let mut acts = Vec::new();
    let server = objects.server.as_ref();
    let standing = server.map(|server| Standing::of(Part::Server, server));
    let is_going = standing.as_ref().is_some_and(|standing| standing.is_going);
    if server.is_some_and(may_be_anothers) && !is_going {
        return (acts, Step::Impossible);
    }
    if is_noted {
        let removal = end(objects, &mut acts);
        return (acts, Step::GoOn(removal));
    }
    let probe_found_nothing = server.is_some_and(adoption::probe_found_nothing);
    let step = match standing {
        // Somebody else deletes it, and the server stays.
        Some(server) if server.is_going && !server.deletes_azure_resource() => Step::Wait,
        Some(server) if server.deletes_azure_resource() || probe_found_nothing => Step::Note,
        Some(_) => {
            acts.push(Act::SetPolicy(Part::Server, Policy::Manage));
            Step::Wait
        }
        // It must not be taken for gone.
        None => Step::Impossible,
    };
    (acts, step)
}

/// The server is first: with it go its databases, and no order can leave one without the other. What stands for its parts in
/// the cluster is deleted after that, and deletes nothing in Azure. The identity is last, for it holds no data.
fn end(objects: &Objects, acts: &mut Vec<Act<'static>>) -> Removal {
    let server = match &objects.server {
        Some(found)
            if adoption::probe_found_nothing(found) && found.metadata.deletion_timestamp.is_none() =>
        {
            acts.push(Act::Delete(Part::Server));
            Removal::UnderWay
        }
        found => remove(Part::Server, found.as_ref(), acts),
    };
    if server != Removal::Done {
        return server;
    }
    // Kubernetes' garbage collection is at it, too.
    release(Part::Database, objects.database.as_ref(), acts);
    for (place, administrator) in objects.administrators.iter().enumerate() {
        release(Part::Administrator(place), Some(administrator), acts);
    }
    for (place, rule) in objects.firewall_rules.iter().enumerate() {
        release(Part::FirewallRule(place), Some(rule), acts);
    }
    for (place, configuration) in objects.configurations.iter().enumerate() {
        release(Part::Configuration(place), Some(configuration), acts);
    }
    let identities = objects.identities.iter().enumerate();
    let login = remove_credentials(objects, acts).then(|| {
        let removals = identities.map(|(place, it)| remove(Part::Identity(place), Some(it), acts));
        first_undone(removals)
    });
    login.then(|| {
        if objects.secret.is_some() {
            acts.push(Act::Delete(Part::Secret));
        }
        Removal::Done
    })
}

fn remove_credentials(objects: &Objects, acts: &mut Vec<Act<'static>>) -> Removal {
    let credentials = objects.credentials.iter().enumerate();
    first_undone(credentials.map(|(place, it)| remove(Part::Credential(place), Some(it), acts)))
}

/// All are gone about at once.
fn first_undone(removals: impl Iterator<Item = Removal>) -> Removal {
    removals.fold(Removal::Done, |all, one| all.then(|| one))
}

/// Takes back what was begun; nothing when nothing that holds data is deleted with its object.
pub(super) fn cancel(objects: &Objects) -> Vec<Act<'static>> {
    fn one<K: AsoObject>(part: Part, object: Option<&K>) -> Option<Act<'static>> {
        let standing = Standing::of(part, object?);
        let is_begun = standing.deletes_azure_resource() && !standing.is_going;
        is_begun.then_some(Act::SetPolicy(part, Policy::DetachOnDelete))
    }
    let Objects { server, database, identities, .. } = objects;
    let holds_data = [one(Part::Server, server.as_ref()), one(Part::Database, database.as_ref())];
    let identities = identities.iter().enumerate().map(|(place, it)| one(Part::Identity(place), Some(it)));
    holds_data.into_iter().chain(identities).flatten().collect()
}

/// Has what holds data only looked at, once Azure has it as it is wanted, and a server that Azure has refused to make: nobody wants
/// it any more, and Azure would be asked again and again. Tells whether that is so.
pub(super) fn rest(objects: &Objects) -> (Vec<Act<'static>>, bool) {
    fn one<K: AsoObject>(
        part: Part,
        object: Option<&K>,
        is_refused: bool,
        acts: &mut Vec<Act<'static>>,
    ) -> bool {
        let Some(standing) = object.map(|object| Standing::of(part, object)) else { return true };
        if standing.policy != Some(Policy::DetachOnDelete) || standing.is_going {
            return true;
        }
        if is_refused || standing.progress == Progress::Ready {
            acts.push(Act::SetPolicy(part, Policy::Skip));
        }
        false
    }
    let is_refused = objects.server.as_ref().is_some_and(|server| {
        server.created_status().is_none() && matches!(condition::progress(server), Progress::GaveUp { .. })
    });
    let mut acts = Vec::new();
    let server = one(Part::Server, objects.server.as_ref(), is_refused, &mut acts);
    let database = one(Part::Database, objects.database.as_ref(), false, &mut acts);
    (acts, server && database)
}

/// Ends the app's login by token, and the ways through the firewall.
pub(in crate::controller::server) fn close(objects: &Objects) -> (Vec<Act<'static>>, Removal) {
    let mut acts = Vec::new();
    let mut closed = remove_credentials(objects, &mut acts);
    for (place, rule) in objects.firewall_rules.iter().enumerate() {
        let rule = remove(Part::FirewallRule(place), Some(rule), &mut acts);
        closed = closed.then(|| rule);
    }
    (acts, closed)
}

#[cfg(test)]
mod tests;
