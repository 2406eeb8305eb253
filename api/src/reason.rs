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
    /// Attention: as soon as somebody has removed the cause, the operator goes on.
    Warning,
    /// Action: nothing goes on until a person has done something.
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
    /// Azure creates the server. This takes 5 to 15 minutes. If it takes longer, the message says so
    Creating: Database, Working, "nobody; if it takes longer, the platform team";
    /// Azure makes the server with the data of another one, as `spec.restoreFrom` says. This takes minutes to hours, and Azure
    /// doesn't tell how far it is
    Restoring: Database, Working, "nobody";
    /// the server runs. The operator sets up its database, firewall, login or parameters
    Configuring: Database, Working, "nobody";
    /// an app can log in
    Ready: Database, Calm, "nobody";
    /// Azure changes the server. The message has the old and the new values
    Updating: Database, Working, "nobody";
    /// Azure upgrades PostgreSQL. Until this is done, nobody can log in
    Upgrading: Database, Working, "nobody";
    /// Azure refused to upgrade PostgreSQL. The server runs with the old version. If you change the spec, the operator
    /// asks Azure again
    UpgradeRefused: Database, Stalled, "who wrote the spec";
    /// Azure refused to change the server, for example because it doesn't have the size. The server runs as before. If
    /// you change the spec, the operator asks Azure again. (If a quota, an Azure Policy or a missing right is the cause,
    /// the reason is Azure's own code, and the operator tries again until Azure allows the change)
    ChangeRefused: Database, Stalled, "who wrote the spec, or the platform team";
    /// somebody has stopped the server in Azure. Nobody can log in
    ServerStopped: Database, Stalled, "who stopped the server starts it; after seven days, Azure starts it";
    /// Azure has disabled the server. Nobody can log in
    ServerDisabled: Database, Stalled, "the platform team";
    /// Azure can't read the key that encrypts the server's disk. Nobody can log in
    ServerInaccessible: Database, Stalled, "the platform team";
    /// the spec has changed, but the annotation `altinn.app/paused` stops all changes in Azure
    Paused: Database, Calm, "nobody; to end the pause, who wrote the annotation removes it";
    /// the stored spec breaks the policy: somebody changed it while admission did not check it
    PolicyDenied: Database, Stalled, "who wrote the spec, or the platform team";
    /// the namespace already has as many servers as the policy allows, retained ones included, and this Database is the
    /// youngest. Nothing is created for it. When there is room, the operator creates it, within five minutes
    TooManyDatabases: Database, Stalled, "who owns a Database that can be deleted, or the platform team";
    /// the policy depends on labels of the namespace, and the operator can't read them yet
    NamespaceUnknown: Database, Warning, "nobody";
    /// Azure has a server of that name, but its tags don't say that it belongs to this Database, or they say that it
    /// belongs to another cluster. The operator doesn't touch it. The message says which tags to restore, or what to
    /// write in the policy
    ServerNotOurs: Database, Stalled, "the platform team";
    /// Azure no longer has the server. The operator doesn't create an empty one in its place
    ServerGone: Database, Stalled, "the platform team restores the server, or who owns the Database accepts an empty one";
    /// the server in Azure is newer than the one that the Database had. The operator can't know what it holds
    ServerRecreated: Database, Stalled, "who owns the Database accepts it, or the platform team restores the other one";
    /// the server no longer has the database of this Database. The operator doesn't create an empty one in its place
    DatabaseGone: Database, Stalled, "as for `ServerGone`";
    /// the operator found the server, but it doesn't know the name of the database on it
    DatabaseNameUnknown: Database, Stalled, "who owns the Database writes `spec.databaseName`";
    /// there is a retained server of a Database of this name, but that Database was in an earlier namespace of this
    /// name, which was deleted
    NamespaceRecreated: Database, Stalled, "the platform team";
    /// the operator's namespace has a `FlexibleServer` or a `RetainedDatabase` of that name, and it belongs to another
    /// Database
    ServerNameTaken: Database, Stalled, "the platform team";
    /// the status names a server whose name doesn't fit this Database, and no object in the operator's namespace says
    /// that the server belongs to it
    ServerNameUnknown: Database, Stalled, "the platform team";
    /// the operator gives the retained server of another Database to this one
    Recovering: Database, Calm, "nobody";
    /// the policy doesn't allow `altinn.app/recover-from`: somebody wrote it while admission did not check it. Nothing is
    /// created
    RecoveryNotAllowed: Database, Stalled, "who wrote the annotation, or the platform team";
    /// there is no retained server of the Database that `altinn.app/recover-from` names. Nothing is created
    NothingToRecover: Database, Stalled, "who wrote the annotation";
    /// the operator doesn't know the server of the Database that `spec.restoreFrom` names: there is no such Database, or Azure
    /// hasn't created its server yet, or has no backup of it yet. Nothing is created. When Azure has what is needed, the operator
    /// continues
    RestoreSourceUnknown: Database, Warning, "who wrote the spec";
    /// the data can't be restored as `spec.restoreFrom` says. The message says what to write. Nothing is created
    RestoreImpossible: Database, Stalled, "who wrote the spec; or the platform team, if the message names the policy";
    /// the policy doesn't allow `spec.restoreFrom`: somebody wrote it while admission did not check it. Nothing is created
    RestoreNotAllowed: Database, Stalled, "who wrote the spec, or the platform team";
    /// a Secret or another object of that name exists, and it doesn't belong to this Database. The operator doesn't
    /// change it. It checks this before it creates a server
    NameTaken: Database, Stalled, "who owns that object";
    /// the Secret belongs to an earlier Database of this name. Kubernetes removes it, and the operator then creates a new
    /// one
    SecretLeftOver: Database, Calm, "nobody";
    /// Azure destroys the server of an earlier Database of this name. The operator then creates a new and empty one
    ServerBeingDestroyed: Database, Warning, "nobody";
    /// the CRDs of Azure Service Operator are not installed. When they are, the operator continues
    AzureServiceOperatorMissing: Database, Warning, "the platform team installs Azure Service Operator";
    /// Azure Service Operator hasn't reacted to an object for ten minutes: it doesn't run, or not for this namespace. When
    /// it does, the operator continues
    AzureServiceOperatorSilent: Database, Warning, "the platform team";
    /// somebody has written `reconcile-policy: skip` on an object of Azure Service Operator, so the change doesn't reach
    /// Azure
    LeftAlone: Database, Stalled, "who wrote it removes it";
    /// the operator can't list a kind, so it doesn't know what there is. It tries again
    CacheNotSynced: Database, Warning, "if it lasts, the platform team";
    /// the API server refused a write. The message has its error. The operator tries again
    ApplyFailed: Database, Warning, "if it lasts, the platform team";
    /// the operator can't write the Database itself. It tries again
    FinalizerFailed: Database, Warning, "if it lasts, the platform team";
    // Of the other conditions of a `Database`.
    /// today's policy allows the Database
    Compliant: Condition, Calm, "nobody";
    /// today's policy would not allow anybody to create the Database. It stays as it is
    OutOfPolicy: Condition, Warning, "who wrote the spec, or the platform team";
    /// Azure supports the version of PostgreSQL for longer than half a year
    Current: Condition, Calm, "nobody";
    /// Azure's standard support of the version ends within half a year. The message says when, and from which day the server
    /// costs extra
    VersionEnding: Condition, Warning, "who wrote the spec raises `spec.version`";
    /// Azure's standard support of the version has ended. If Azure has published a paid support for it, the server costs extra
    VersionExtended: Condition, Warning, "who wrote the spec raises `spec.version`";
    /// Azure no longer supports the version
    VersionEnded: Condition, Warning, "who wrote the spec raises `spec.version`";
    /// the vault makes copies of the server by its backup policy
    Protected: Condition, Calm, "nobody";
    /// Azure sets up the protection, or the operator waits for the server to be up
    ConfiguringProtection: Condition, Working, "nobody";
    /// Azure changes the protection. It goes on as it was meanwhile
    UpdatingProtection: Condition, Working, "nobody";
    /// Azure can't set up the protection. The message has Azure's error and what Azure recommends
    ConfiguringProtectionFailed: Condition, Warning, "the platform team";
    /// Azure can't make copies, or refuses to be asked for them. The message has Azure's error and what Azure recommends
    ProtectionError: Condition, Warning, "the platform team";
    /// somebody has stopped the protection in the vault. It makes no new copies; the message says what becomes of the old ones
    ProtectionStopped: Condition, Warning, "the platform team resumes it in the vault";
    /// the vault has suspended making copies
    BackupSchedulesSuspended: Condition, Warning, "the platform team resumes it in the vault";
    /// the vault has suspended making copies, and removing old ones
    RetentionSchedulesSuspended: Condition, Warning, "the platform team resumes it in the vault";
    /// Azure knows of the server, and doesn't protect it
    NotProtected: Condition, Warning, "the platform team";
    /// Azure deletes the copies in the vault. For some days they can be brought back there
    SoftDeleting: Condition, Warning, "the platform team undeletes them in the vault";
    /// somebody has deleted the copies in the vault. For some days they can be brought back there
    SoftDeleted: Condition, Warning, "the platform team undeletes them in the vault";
    /// Azure says that the protection is not valid, or something that this version of the operator doesn't know
    ProtectionInvalid: Condition, Warning, "the platform team";
    /// the policy names no vault, or not this backup policy; or Azure has no such vault or backup policy. What is protected
    /// stays protected
    VaultMissing: Condition, Warning, "the platform team";
    /// the disk is larger than what Azure promises copies of in a vault: there may be none, whatever Azure says of the protection
    TooLarge: Condition, Warning, "who wrote the spec, or the platform team";
    /// some parameters take effect only after a restart of the server. The message names them
    ParameterChanged: Condition, Calm, "the platform team restarts the server";
    /// somebody else wrote the ServiceAccount's annotation `azure.workload.identity/client-id`
    SetByOthers: Condition, Warning, "who owns the ServiceAccount";
    /// the ServiceAccount has the client id of another Database that also uses it
    SetForAnotherDatabase: Condition, Warning, "who owns the ServiceAccount";
    /// the operator has looked into the server by SQL: the app's login, its roles and its extensions are as they should be
    Settled: Condition, Calm, "nobody";
    /// the Secret and the ServiceAccount have a login of the app's own now, and its former login still administers the server.
    /// The former login ends when the hours are over for which the policy lets a replaced password work
    FormerLogin: Condition, Warning, "who runs the pods that use the Secret restarts them";
    /// the operator hasn't looked into the server yet
    Connecting: Condition, Working, "nobody";
    /// the operator can't reach the server. The message says why: its name, the firewall, TLS, or a server that doesn't
    /// run
    Unreachable: Condition, Warning, "the platform team";
    /// the operator has no identity of its own, or Microsoft Entra gives it no token
    NoToken: Condition, Warning, "the platform team";
    /// the server doesn't let the operator in: its identity must be a member of the group that administers the server
    LoginRefused: Condition, Warning, "the platform team";
    /// all connections of the server are taken, so that the operator can't look into it
    TooManyConnections: Condition, Warning, "who owns the app lets its pool hold fewer, or takes a larger size";
    /// the database belongs to a role that the operator doesn't administer
    DatabaseNotOurs: Condition, Warning, "who made that role, or the platform team";
    /// the database is not on the server. The operator doesn't create an empty one in its place
    DatabaseMissing: Condition, Warning, "as for `ServerGone`";
    /// a role of a name that the operator needs is on the server already, and is not the operator's
    RoleTaken: Condition, Warning, "who made that role, or the platform team";
    /// PostgreSQL refused a statement of the operator. The message has its words
    SqlFailed: Condition, Warning, "if it lasts, the platform team";
    /// a transaction holds a lock that the operator needs, as a migration of the app does. It tries again
    Locked: Condition, Warning, "if it lasts, who owns the app";
    /// the server took too long to answer. The operator tries again
    TimedOut: Condition, Warning, "if it lasts, the platform team";
    /// something on the server is not as it should be, and the operator can't mend it. The message says what, and who can
    Drifted: Condition, Warning, "who changed it by SQL";
    /// an extension can't be created, updated or dropped. The message has PostgreSQL's words
    ExtensionRefused: Condition, Warning, "who wrote the spec";
    /// the annotation `altinn.app/paused` has no effect, so there is no pause. The message says what to write
    Malformed: Condition, Warning, "who wrote the annotation";
    // Of the events alone.
    /// Azure again has what the spec and the policy say
    Synced: Event, Calm, "nobody";
    /// the pause is over: the operator changes Azure again to what the spec and the policy say
    PauseEnded: Event, Calm, "nobody";
    /// the app's ServiceAccount logs in as another identity. The message says what to do
    ClientIdConflict: Event, Warning, "who owns the ServiceAccount";
    /// the Secret has a new password. The message says whether and for how long the old one works
    PasswordReplaced: Event, Calm, "who runs the pods that use the Secret restarts them";
    /// the server has the data of another one. The message says of which one, and of which moment
    Restored: Event, Calm, "nobody";
    /// the Database is deleted, and its server is retained with the data
    DataKept: Event, Calm, "nobody";
    /// the policy's ConfigMap is missing or has an error. The message names the line
    PolicyInvalid: Event, Warning, "the platform team";
    /// the policy's ConfigMap is valid again, and the operator uses it
    PolicyInForce: Event, Calm, "nobody";
    // Of the condition `Ready` of a `RetainedDatabase`, and of its events.
    /// the server is retained. No time is set at which it is destroyed
    Kept: Retained, Calm, "nobody";
    /// the server is retained until `spec.until`
    KeptUntil: Retained, Calm, "nobody";
    /// the server is destroyed within a day. This is also a warning event
    ExpiresSoon: Retained, Warning, "who needs the data writes a later `spec.until`, or applies the manifest again";
    /// the Database was deleted with `Destroy`: the server is destroyed at the time in the message. If you apply the
    /// manifest before that time, the Database gets the server back
    DestroyConfirmed: Retained, Warning, "who needs the data";
    /// a Database used the server after this record was written, so the record is out of date. The operator does nothing
    /// because of it
    RecordOutdated: Retained, Stalled, "the platform team";
    /// the server doesn't belong to the Database that the record names. The operator deletes the record
    Mistaken: Retained, Warning, "nobody";
    /// Azure destroys the server with all its data
    Destroying: Retained, Calm, "nobody";
    /// the time to destroy the server has come, but Azure refuses to revoke access to it. The server is retained, and the
    /// operator tries again
    ClosingRefused: Retained, Warning, "if it lasts, the platform team";
    /// the time to destroy the server has come, but Azure is still creating it, or restoring its data to another one. The server
    /// is retained until that is done
    DestroyWaits: Retained, Calm, "nobody";
    /// Azure refuses to destroy the server. The message has Azure's error. The operator tries again
    DestroyRefused: Retained, Warning, "the platform team";
    /// the `FlexibleServer` object is missing or doesn't work, so the operator can't ask Azure to destroy the server. The
    /// server is retained
    DestroyImpossible: Retained, Stalled, "the platform team";
    /// somebody deleted the `FlexibleServer` object, and Azure doesn't say whether the server exists. The message has
    /// Azure's error
    ServerUnknown: Retained, Warning, "if it lasts, the platform team";
    /// a Database has the data again, and the operator deletes the record. `status.recovered` of the Database says since
    /// when, and of which Database the data were
    Recovered: Retained, Calm, "nobody";
    /// the data are destroyed, and the operator deletes the record
    Destroyed: Retained, Calm, "nobody";
    /// the Database disappeared, and nobody decided what happens to its data. They are retained
    OwnerLost: Retained, Warning, "the platform team";
    /// the operator can't read the stored object, or `spec.database` is not of the form `<namespace>/<name>`. The object
    /// stays as it is, and this doesn't stop other objects
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

    /// Whether it is one of a change in Azure, whose message has the old and the new values.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Updating | Self::Upgrading)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
