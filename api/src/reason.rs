//! Why a condition or an event is as it is: each reason that the operator gives. Beside them there are only Azure's own codes.
//! The page docs/status.md shows this list.

/// Where a reason stands first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// The condition `Ready` of a `Database`, and the events of its changes; those of a `RetainedDatabase`, too.
    Database,
    /// Another condition of a `Database`.
    Condition,
    /// Events alone.
    Event,
    /// The condition `Ready` of a `RetainedDatabase`, and the events of its changes.
    Retained,
}

/// What a reason asks of people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stance {
    /// Nothing: it is as it should be, or as somebody wanted it.
    Calm,
    /// Patience: work is under way.
    Working,
    /// Attention: it goes on by itself, as soon as what is in the way is gone.
    Warning,
    /// Action: nothing goes on before a person has done something.
    Stalled,
}

macro_rules! reasons {
    ($($(#[doc = $meaning:literal])+ $reason:ident: $place:ident, $stance:ident, $acts:literal;)+) => {
        /// A reason of a condition or an event.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Reason {
            $($(#[doc = $meaning])+ $reason,)+
        }

        impl Reason {
            /// All of them, in the order of the page.
            pub const ALL: &[Self] = &[$(Self::$reason),+];

            /// As it stands in a condition.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => stringify!($reason),)+
                }
            }

            /// What it means, for the page.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$reason => concat!($($meaning),+),)+
                }
            }

            /// Who must act, for the page.
            pub fn who_acts(self) -> &'static str {
                match self {
                    $(Self::$reason => $acts,)+
                }
            }

            /// Where it stands first.
            pub fn place(self) -> Place {
                match self {
                    $(Self::$reason => Place::$place,)+
                }
            }

            /// What it asks of people.
            pub fn stance(self) -> Stance {
                match self {
                    $(Self::$reason => Stance::$stance,)+
                }
            }
        }
    };
}

reasons! {
    // Of the condition `Ready` of a `Database`.
    /// Azure makes the server, which takes 5 to 15 minutes; the message says so when it takes longer
    Creating: Database, Working, "nobody, or the platform team if it takes longer";
    /// the server is up; its database, firewall, login or parameters are being set
    Configuring: Database, Working, "nobody";
    /// an app can log in
    Ready: Database, Calm, "nobody";
    /// Azure changes the server; the message tells from what to what
    Updating: Database, Working, "nobody";
    /// Azure upgrades PostgreSQL; nobody can log in meanwhile
    Upgrading: Database, Working, "nobody";
    /// Azure refused to upgrade PostgreSQL; the version that ran goes on. Azure is asked again when the spec changes
    UpgradeRefused: Database, Stalled, "who wrote the spec";
    /// Azure refused to change the server, as for a size that it doesn't have; it goes on as it was. Azure is asked
    /// again when the spec changes. (A quota, an Azure Policy or a missing right is told by its own code, and the
    /// change is made once the way is open.)
    ChangeRefused: Database, Stalled, "who wrote the spec, or the platform team";
    /// the server is stopped in Azure, so nobody can log in
    ServerStopped: Database, Stalled, "who stopped it; after seven days Azure starts it by itself";
    /// Azure has disabled the server, so nobody can log in
    ServerDisabled: Database, Stalled, "the platform team";
    /// Azure can't read the key that the server's disk is encrypted with, so nobody can log in
    ServerInaccessible: Database, Stalled, "the platform team";
    /// the spec has changed while `altinn.app/paused` has everything in Azure left alone
    Paused: Database, Calm, "nobody, or who paused it";
    /// the stored spec breaks the policy: it was changed past admission
    PolicyDenied: Database, Stalled, "who wrote the spec, or the platform team";
    /// the namespace has as many servers as the policy allows, kept ones included, and this Database is the youngest;
    /// nothing is made for it. It goes on by itself when there is room, within five minutes at the most
    TooManyDatabases: Database, Stalled, "who deletes one, or the platform team";
    /// the policy depends on labels of the namespace, which can't be read yet
    NamespaceUnknown: Database, Warning, "nobody";
    /// Azure has a server of that name, and its tags don't say that it is this Database's, or say that another
    /// cluster has it; it is never touched, and the message says which tags to put back, or what to write in the
    /// policy
    ServerNotOurs: Database, Stalled, "the platform team";
    /// Azure has the server no more; nothing empty is made in its place
    ServerGone: Database, Stalled, "the platform team restores it, or who owns the Database accepts an empty one";
    /// the server in Azure was made after the one that the Database had; nobody but a person can tell what it holds
    ServerRecreated: Database, Stalled, "who owns the Database accepts it, or the platform team restores the other one";
    /// the server has the Database's database no more; nothing empty is made in its place
    DatabaseGone: Database, Stalled, "as for `ServerGone`";
    /// the server was found, and nothing says what the database in it is called
    DatabaseNameUnknown: Database, Stalled, "who owns the Database writes `spec.databaseName`";
    /// a server is kept of a Database of this name, in a namespace of this name that was deleted
    NamespaceRecreated: Database, Stalled, "the platform team";
    /// the operator's namespace has a `FlexibleServer` or a record of that name that isn't this Database's
    ServerNameTaken: Database, Stalled, "the platform team";
    /// the status names a server that this Database would not get, and no object vouches for it
    ServerNameUnknown: Database, Stalled, "the platform team";
    /// the server that was kept of another Database is being brought back here
    Recovering: Database, Calm, "nobody";
    /// `altinn.app/recover-from` was written past admission, and the policy doesn't allow it; nothing is made
    RecoveryNotAllowed: Database, Stalled, "who wrote it, or the platform team";
    /// nothing is kept of the Database that `altinn.app/recover-from` names; nothing is made
    NothingToRecover: Database, Stalled, "who wrote it";
    /// a Secret or object of that name exists and isn't this Database's; it is left alone. That is found before a
    /// server is made
    NameTaken: Database, Stalled, "whom it belongs to";
    /// the Secret belongs to the Database of this name that was there before; Kubernetes removes it, and a new one is
    /// made
    SecretLeftOver: Database, Calm, "nobody";
    /// the server that a Database of this name had is being destroyed; a new and empty one is made after that
    ServerBeingDestroyed: Database, Warning, "nobody";
    /// its CRDs are not installed; the Database goes on by itself then
    AzureServiceOperatorMissing: Database, Warning, "the platform team";
    /// nobody has looked at an object for ten minutes: Azure Service Operator doesn't run, or not for this namespace.
    /// The Database goes on by itself then
    AzureServiceOperatorSilent: Database, Warning, "the platform team";
    /// somebody has written `reconcile-policy: skip` on an object of Azure Service Operator's, so the change isn't
    /// made
    LeftAlone: Database, Stalled, "who wrote it";
    /// a kind can't be listed, so nothing is known; it is tried again
    CacheNotSynced: Database, Warning, "the platform team, if it stays";
    /// the API server refused a write; its words are in the message, and it is tried again
    ApplyFailed: Database, Warning, "the platform team, if it stays";
    /// the Database itself can't be written; it is tried again
    FinalizerFailed: Database, Warning, "the platform team, if it stays";
    // Of the other conditions of a `Database`.
    /// the policy would let the Database be made today
    Compliant: Condition, Calm, "nobody";
    /// the policy would not let the Database be made today; it goes on as it is
    OutOfPolicy: Condition, Warning, "who wrote the spec, or the platform team";
    /// parameters count only after the server was restarted; the message names them
    ParameterChanged: Condition, Calm, "the platform team restarts the server";
    /// the ServiceAccount's annotation `azure.workload.identity/client-id` was written by somebody else
    SetByOthers: Condition, Warning, "who owns the ServiceAccount";
    /// the ServiceAccount has the client id of another Database that uses it, too
    SetForAnotherDatabase: Condition, Warning, "who owns the ServiceAccount";
    /// `altinn.app/paused` does nothing; the message says what to write
    Malformed: Condition, Warning, "who wrote it";
    // Of the events alone.
    /// Azure has what is wanted again
    Synced: Event, Calm, "nobody";
    /// what is in Azure is kept as it is written again
    PauseEnded: Event, Calm, "nobody";
    /// the app's ServiceAccount logs in as somebody else; the message says what to do
    ClientIdConflict: Event, Warning, "who owns the ServiceAccount";
    /// the Secret holds a new password, and the old one no longer works
    PasswordReplaced: Event, Calm, "who runs the pods that use it";
    /// the Database is deleted, and its server and data are kept
    DataKept: Event, Calm, "nobody";
    /// the policy's ConfigMap is missing or broken; the message names the line
    PolicyInvalid: Event, Warning, "the platform team";
    /// the policy holds again, and is in force
    PolicyInForce: Event, Calm, "nobody";
    // Of the condition `Ready` of a `RetainedDatabase`, and of its events.
    /// the server is kept without an end
    Kept: Retained, Calm, "nobody";
    /// the server is kept until `spec.until`
    KeptUntil: Retained, Calm, "nobody";
    /// it is destroyed within a day; this is a warning event, too
    ExpiresSoon: Retained, Warning, "who needs the data: put `spec.until` off, or apply the manifest again";
    /// its Database was deleted with `Destroy`: the server is destroyed at the time in the message. Until then the
    /// manifest brings it back
    DestroyConfirmed: Retained, Warning, "who wants the data back";
    /// a Database had the server after the record was written, so it is from the past: it ends nothing, and touches
    /// nothing
    RecordOutdated: Retained, Stalled, "the platform team";
    /// the record names a Database whose server it isn't; it goes
    Mistaken: Retained, Warning, "nobody";
    /// Azure destroys the server with all its data
    Destroying: Retained, Calm, "nobody";
    /// the end has come, and Azure refuses to close the ways in to the server; it is kept, and tried again
    ClosingRefused: Retained, Warning, "the platform team, if it stays";
    /// Azure refuses to destroy it; its words are in the message, and it is tried again
    DestroyRefused: Retained, Warning, "the platform team";
    /// the object that would tell Azure so is not there; the server is kept
    DestroyImpossible: Retained, Stalled, "the platform team";
    /// the server's object was deleted by hand, and Azure doesn't say whether the server is there; its words are in
    /// the message
    ServerUnknown: Retained, Warning, "the platform team, if it stays";
    /// the data are back with a Database, and the record goes; `status.recovered` of the Database tells since when,
    /// and of which Database
    Recovered: Retained, Calm, "nobody";
    /// the data are at their end, and the record goes
    Destroyed: Retained, Calm, "nobody";
    /// the Database is gone without a decision on its data, which are kept
    OwnerLost: Retained, Warning, "the platform team";
    /// the stored object can't be read, or `spec.database` is not of the form `<namespace>/<name>`; it is left as it
    /// is, and others go on
    Unreadable: Retained, Stalled, "who wrote the object";
}

impl Reason {
    /// By its name in a condition; `None` for a code of Azure's.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
    }

    /// Whether work is under way, and nothing is amiss.
    pub fn is_work(self) -> bool {
        self.stance() == Stance::Working
    }

    /// Whether it is one of a change in Azure, whose message tells from what to what.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Updating | Self::Upgrading)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
