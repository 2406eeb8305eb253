//! The copies in an Azure Backup vault: what is done about the object that asks for them, and what is told of them.
//!
//! The object is always one whose resource in Azure stays when it goes. Nothing here, and nothing that destroys a server, deletes
//! what the vault has. It is owned by the object of the server, so that Kubernetes removes it with that one.

use std::time::Duration;

use api::{
    DatabaseRef, VaultStatus,
    annotations::PAUSED,
    reason::{Reason, Stance},
};
use kube::{Resource, ResourceExt};
use policy::{Effective, catalogue::LARGEST_IN_VAULT_GIB, document, resource_id};
use serde_json::json;

use super::{
    caches::Caches,
    context::Context,
    nudge,
    write::{Error, amend, aso, delete, has_our_metadata},
};
use crate::{
    api_error::one_line,
    azure::{
        self, BackupVaultsBackupInstance, DETACH_ON_DELETE, RECONCILE_POLICY, SKIP,
        condition::{self, Kind, Progress},
    },
    controller::engine::{cache::Unreadable, conditions::LONGEST_MESSAGE},
    labels::{belongs_to, owner_labels},
};

/// How soon is looked whether Azure has come further.
const AGAIN: Duration = Duration::from_mins(5);

/// What there is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Existing {
    pub(crate) instance: Option<Box<BackupVaultsBackupInstance>>,
    /// Why it isn't known what there is.
    pub(crate) unreadable: Option<Unreadable>,
}

impl Existing {
    pub(crate) fn of(caches: &Caches, operator_namespace: &str, server_name: &str) -> Self {
        Self {
            instance: caches.backup_instances.get(operator_namespace, server_name).map(Box::new),
            unreadable: caches.backup_instances.check().err(),
        }
    }

    /// The name under which the policy has the backup policy that is asked for.
    pub(crate) fn policy_name(&self, azure: &document::Azure) -> Option<String> {
        let asked = &self.instance.as_ref()?.spec.properties.policy_info.policy_reference.arm_id;
        let vault = azure.backup_vault.as_ref()?;
        let is_it = |name: &&String| vault.policy_id(name).is_some_and(|id| id.eq_ignore_ascii_case(asked));
        vault.policies.value.keys().find(is_it).cloned()
    }
}

/// What is wanted, beside what there is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wish {
    /// The policy's name of a backup policy; `None` where there is to be no copy.
    name: Option<String>,
    /// The resource id that the policy has under that name; `None` where it has no such name.
    policy_id: Option<String>,
    server_name: String,
    /// Of the disk: as Azure has it, or as it is asked for before Azure has told.
    size_gib: i32,
    /// As soon as Azure has made the server.
    desired: Option<Box<BackupVaultsBackupInstance>>,
    existing: Existing,
}

impl Wish {
    /// `has_gib` is the disk of the server, once Azure has told.
    pub(crate) fn of(
        effective: &Effective,
        azure: &document::Azure,
        server_name: &str,
        has_gib: Option<i32>,
        desired: Option<Box<BackupVaultsBackupInstance>>,
        existing: Existing,
    ) -> Self {
        let name = azure::vault_policy(effective).map(str::to_owned);
        let policy_id = name.as_ref().and_then(|name| azure.backup_vault.as_ref()?.policy_id(name));
        let size_gib = has_gib.unwrap_or(effective.size_gib);
        Self { name, policy_id, server_name: server_name.to_owned(), size_gib, desired, existing }
    }

    /// The vault's name of the backup policy by which an instance stays that lies elsewhere; `None` where it is the one that is
    /// wanted, or becomes it.
    fn stays_by<'a>(&self, found: &'a BackupVaultsBackupInstance) -> Option<&'a str> {
        let in_force = &found.spec.properties.policy_info.policy_reference.arm_id;
        let stays = self.desired.as_deref().is_some_and(|desired| desired.spec == found.spec);
        let is_wanted = self.policy_id.as_ref().is_none_or(|id| id.eq_ignore_ascii_case(in_force));
        (stays && !is_wanted).then(|| resource_id::name(in_force))
    }
}

/// What is told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Vault {
    /// Nobody has looked: what was said last stands.
    #[default]
    AsBefore,
    /// There is to be no copy.
    Unwanted,
    Told(Told),
}

/// The condition, and what the status says beside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Told {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    pub(crate) status: VaultStatus,
}

impl Told {
    /// Of the condition. What is under way, or can't be known, is neither true nor false.
    pub(crate) fn condition_status(&self) -> &'static str {
        match self.reason {
            Reason::Protected => "True",
            Reason::AzureServiceOperatorMissing | Reason::CacheNotSynced => "Unknown",
            reason if reason.stance() == Stance::Working => "Unknown",
            _ => "False",
        }
    }
}

/// What is done about the object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Nothing,
    /// It is made, or brought to what is wanted.
    Write,
    /// It is of this server, and gets the labels of the `Database` that has the server now.
    Take,
    /// Azure Service Operator is to leave Azure alone for a while.
    Pause,
    /// The same, no longer. It is also how an object becomes one whose resource stays.
    Detach,
    /// The object goes, and what it stands for stays in Azure.
    Release,
    /// Azure Service Operator looks whether Azure has come further.
    LookAgain,
}

/// Everything that decides.
struct Seen<'a> {
    database: DatabaseRef<'a>,
    wish: &'a Wish,
    is_paused: bool,
    /// Whether Azure has time for a server that isn't protected yet.
    server_is_ready: bool,
}

/// Pure: what is done next.
fn act(seen: &Seen<'_>) -> Act {
    let wish = seen.wish;
    let existing = &wish.existing;
    if existing.unreadable.is_some() {
        return Act::Nothing;
    }
    let desired = wish.desired.as_deref();
    let Some(found) = existing.instance.as_deref() else {
        let is_due = desired.is_some() && seen.server_is_ready && !seen.is_paused;
        return if is_due { Act::Write } else { Act::Nothing };
    };
    if found.meta().deletion_timestamp.is_some() {
        return Act::Nothing;
    }
    if !belongs_to(found, seen.database) {
        return if is_of_same_server(found, desired) { Act::Take } else { Act::Nothing };
    }
    let (skips, stays) = (azure::has_policy(found, SKIP), azure::has_policy(found, DETACH_ON_DELETE));
    if wish.name.is_none() {
        return if skips || stays { Act::Release } else { Act::Detach };
    }
    match (seen.is_paused, skips) {
        (true, false) => return Act::Pause,
        (false, true) if found.annotations().contains_key(PAUSED) => return Act::Detach,
        // It is paused already, or somebody else has said so.
        (_, true) => return Act::Nothing,
        (false, false) if !stays => return Act::Detach,
        (false, false) => {}
    }
    match desired {
        // Azure Service Operator moves no object to another owner, and what Azure refused lies nowhere yet.
        Some(desired) if found.spec.owner != desired.spec.owner => Act::Release,
        Some(desired) if found.spec != desired.spec || !has_our_metadata(found, desired) => Act::Write,
        _ if is_awaited(found) => Act::LookAgain,
        _ => Act::Nothing,
    }
}

/// Whether an object that bears another `Database`'s labels is owned by the same object of a server.
fn is_of_same_server(
    found: &BackupVaultsBackupInstance,
    desired: Option<&BackupVaultsBackupInstance>,
) -> bool {
    let owner = |object: &BackupVaultsBackupInstance| {
        object.owner_references().first().map(|owner| owner.uid.clone())
    };
    desired.and_then(owner).is_some_and(|server| owner(found) == Some(server))
}

/// Whether Azure is at work, or in trouble: Azure Service Operator would look in an hour. What somebody has stopped in Azure, they
/// may mean to be so.
fn is_awaited(found: &BackupVaultsBackupInstance) -> bool {
    const AWAITED: &[Reason] = &[
        Reason::ConfiguringProtection,
        Reason::UpdatingProtection,
        Reason::ConfiguringProtectionFailed,
        Reason::ProtectionError,
    ];
    matches!(condition::progress(found), Progress::GaveUp { .. } | Progress::Retrying { .. })
        || found.protection().is_some_and(|it| AWAITED.contains(&it.reason))
}

/// Azure's codes where the vault or its backup policy isn't there.
const MISSING: &[&str] = &["ResourceNotFound", "ParentResourceNotFound", "ResourceGroupNotFound", "NotFound"];

/// Pure: what is told. What Azure says of itself counts, and not whether Azure Service Operator is content.
fn told(seen: &Seen<'_>) -> Vault {
    let Seen { wish, database, .. } = seen;
    let existing = &wish.existing;
    let Some(name) = &wish.name else { return Vault::Unwanted };
    let found = existing.instance.as_deref();
    let own = found.filter(|found| belongs_to(*found, *database));
    let protection = own.and_then(BackupVaultsBackupInstance::protection);
    let (reason, message) = match &existing.unreadable {
        Some(unreadable) => unknown(unreadable),
        None if found.is_some() && own.is_none() => {
            let server = &wish.server_name;
            let text = format!(
                "BackupVaultsBackupInstance {server} in the operator's namespace does not belong to this Database; it is left alone"
            );
            (Reason::NameTaken, text)
        }
        None => {
            let (reason, message) = judged(wish, name, own, protection.as_ref());
            too_large(wish, reason).unwrap_or((reason, message))
        }
    };
    let message = message.chars().take(LONGEST_MESSAGE).collect();
    let instance = own.map(|own| own.spec.azure_name.clone()).unwrap_or_default();
    let state = protection.map(|protection| protection.state);
    let policy = own.and_then(|own| wish.stays_by(own)).unwrap_or(name).to_owned();
    Vault::Told(Told { reason, message, status: VaultStatus { policy, instance, state } })
}

/// Azure finds nothing wrong with a server of which it promises no copies. What it does find comes first.
fn too_large(wish: &Wish, reason: Reason) -> Option<(Reason, String)> {
    let (server, size) = (&wish.server_name, wish.size_gib);
    let is_well = matches!(reason.stance(), Stance::Calm | Stance::Working);
    (is_well && size > LARGEST_IN_VAULT_GIB).then(|| {
        let message = format!(
            "The disk of server {server} has {size} GiB, and Azure promises copies in a vault of at most {LARGEST_IN_VAULT_GIB} \
             GiB: there may be none. Make dumps with pg_dump, or move data to another Database; to do without the vault, write \
             spec.backup.vault: None"
        );
        (Reason::TooLarge, message)
    })
}

fn unknown(unreadable: &Unreadable) -> (Reason, String) {
    match unreadable {
        Unreadable::UnknownKind(crd) => (
            Reason::AzureServiceOperatorMissing,
            format!(
                "Azure Service Operator is not installed for Backup vaults: the CRD {crd} is missing. The platform team must add \
                 dataprotection.azure.com/* to its crdPattern; then the operator continues"
            ),
        ),
        Unreadable::Failing(kind, error) => (
            Reason::CacheNotSynced,
            format!("{kind} can't be listed, so nothing is known of the copies: {error}"),
        ),
        Unreadable::NotSynced => {
            (Reason::CacheNotSynced, "The copies in the vault aren't known yet".to_owned())
        }
    }
}

/// Of an object that is this `Database`'s, or isn't there.
fn judged(
    wish: &Wish,
    name: &str,
    own: Option<&BackupVaultsBackupInstance>,
    protection: Option<&azure::Protection>,
) -> (Reason, String) {
    let server = &wish.server_name;
    let unnamed = format!(
        "The policy has no backup policy {name} in azure.backupVault.policies: the platform team must add it, or who wrote the spec \
         must write another spec.backup.vault"
    );
    let Some(own) = own else {
        if wish.policy_id.is_none() {
            return (Reason::VaultMissing, unnamed);
        }
        let message = format!("The vault begins to protect server {server} as soon as the server is up");
        return (Reason::ConfiguringProtection, message);
    };
    let vault = own.vault();
    let refusal = match condition::progress(own) {
        Progress::GaveUp { reason, message } => Some((reason, message)),
        // What passes says nothing of what is protected already.
        Progress::Retrying { reason, message } => {
            let (kind, _) = condition::meaning(&reason, &message);
            let passes = matches!(kind, Kind::Passing | Kind::Transient);
            (protection.is_none() || !passes).then_some((reason, message))
        }
        Progress::Ready | Progress::Sent | Progress::Working => None,
    };
    match (refusal, protection) {
        (Some((reason, message)), _) => {
            let is_missing = MISSING.contains(&reason.as_str());
            let cause = if is_missing { Reason::VaultMissing } else { Reason::ProtectionError };
            let words = one_line(&message);
            (
                cause,
                format!(
                    "Azure does not protect server {server} in vault {vault} as asked. Azure's words: {reason}: {words}"
                ),
            )
        }
        (_, None) => (
            Reason::ConfiguringProtection,
            format!("Azure is asked to protect server {server} in vault {vault}"),
        ),
        (_, Some(protection)) => {
            let mut message = words(protection, server, vault);
            if wish.policy_id.is_none() {
                message = format!("{message}. It stays as it is. {unnamed}");
            }
            if let Some(other) = wish.stays_by(own) {
                message = format!(
                    "{message}. It stays in that vault, by backup policy {other} and not by {name}, until the platform team moves it"
                );
            }
            (protection.reason, message)
        }
    }
}

/// What Azure's state means, and who can do what about it.
fn words(protection: &azure::Protection, server: &str, vault: &str) -> String {
    const RESUME: &str = "The platform team can resume it in the vault";
    const UNDELETE: &str =
        "The platform team can undelete it in the vault for as long as the vault keeps what was deleted";
    let error =
        protection.error.as_ref().map(|error| format!(". Azure's words: {error}")).unwrap_or_default();
    let text = match protection.reason {
        Reason::Protected => format!("Vault {vault} makes copies of server {server}"),
        Reason::ConfiguringProtection => {
            format!("Vault {vault} is setting up the protection of server {server}")
        }
        Reason::UpdatingProtection => format!("Vault {vault} is changing the protection of server {server}"),
        Reason::ConfiguringProtectionFailed => {
            format!(
                "Vault {vault} could not set up the protection of server {server}, so there are no copies"
            )
        }
        Reason::ProtectionError => format!("Vault {vault} can't make copies of server {server}"),
        Reason::ProtectionStopped => format!(
            "The protection of server {server} was stopped in vault {vault}: no more copies are made, and those that there are stay by \
             the vault's rules. {RESUME}"
        ),
        Reason::BackupSchedulesSuspended => {
            format!("Vault {vault} has suspended the copies of server {server}. {RESUME}")
        }
        Reason::RetentionSchedulesSuspended => format!(
            "Vault {vault} has suspended the copies of server {server}, and removes no old ones. {RESUME}"
        ),
        Reason::NotProtected => format!("Vault {vault} does not protect server {server}"),
        Reason::SoftDeleting => {
            format!("The copies of server {server} are being deleted in vault {vault}. {UNDELETE}")
        }
        Reason::SoftDeleted => {
            format!(
                "The copies of server {server} were deleted in vault {vault}, and no more are made. {UNDELETE}"
            )
        }
        _ => format!("Vault {vault} says of server {server}: {}", protection.state),
    };
    format!("{text}{error}")
}

/// What came of it.
pub(crate) struct Done {
    pub(crate) told: Vault,
    /// When to look again for what no watch tells of.
    pub(crate) again: Option<Duration>,
}

/// Does what is to be done, and tells how it is. Whatever fails here is told here alone: everything else goes on.
pub(crate) async fn keep_up(
    context: &Context,
    database: DatabaseRef<'_>,
    wish: &Wish,
    is_paused: bool,
    server_is_ready: bool,
) -> Done {
    let seen = Seen { database, wish, is_paused, server_is_ready };
    let act = act(&seen);
    let mut done = Done { told: told(&seen), again: (act == Act::LookAgain).then_some(AGAIN) };
    if let Err(error) = carry_out(context, &seen, act).await {
        tracing::warn!(%database, %error, "the copies in the vault can't be asked for");
        done.again = Some(AGAIN);
        if let Vault::Told(told) = &mut done.told {
            (told.reason, told.message) = (Reason::ApplyFailed, one_line(&error.to_string()));
        }
    }
    done
}

async fn carry_out(context: &Context, seen: &Seen<'_>, act: Act) -> Result<(), Error> {
    if act == Act::Write
        && let Some(desired) = seen.wish.desired.as_deref()
    {
        return aso(context, &context.caches.backup_instances, desired).await.map(drop);
    }
    let Some(found) = seen.wish.existing.instance.as_deref() else { return Ok(()) };
    let metadata = match act {
        Act::Nothing | Act::Write => return Ok(()),
        Act::Release => return delete(context, found).await.map(drop),
        Act::LookAgain => {
            let awaited = Progress::Retrying { reason: String::new(), message: String::new() };
            return nudge::nudge(context, found, &awaited, true).await;
        }
        Act::Take => json!({"labels": owner_labels(seen.database)}),
        Act::Pause => json!({"annotations": {RECONCILE_POLICY: SKIP, PAUSED: "true"}}),
        Act::Detach => json!({"annotations": {RECONCILE_POLICY: DETACH_ON_DELETE, PAUSED: null}}),
    };
    amend(context, found, metadata).await.map(drop)
}

#[cfg(test)]
mod tests;
