//! Resource ids and the paths that ARM answers to. Segment names and resource names are case-insensitive.

use std::fmt::{self, Display};

use serde_json::{Value, json};

use super::errors::ArmError;

/// A resource id in lower case: equal ids mean the same resource.
pub(in crate::azure) type Key = String;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::azure) enum Kind {
    ResourceGroup,
    FlexibleServer,
    Database,
    FirewallRule,
    Configuration,
    Administrator,
    UserAssignedIdentity,
    FederatedIdentityCredential,
    BackupVault,
    BackupPolicy,
    BackupInstance,
}

impl Kind {
    const IN_PROVIDERS: [Self; 10] = [
        Self::FlexibleServer,
        Self::Database,
        Self::FirewallRule,
        Self::Configuration,
        Self::Administrator,
        Self::UserAssignedIdentity,
        Self::FederatedIdentityCredential,
        Self::BackupVault,
        Self::BackupPolicy,
        Self::BackupInstance,
    ];

    pub(in crate::azure) const fn namespace(self) -> &'static str {
        match self {
            Self::ResourceGroup => "Microsoft.Resources",
            Self::UserAssignedIdentity | Self::FederatedIdentityCredential => "Microsoft.ManagedIdentity",
            Self::BackupVault | Self::BackupPolicy | Self::BackupInstance => "Microsoft.DataProtection",
            _ => "Microsoft.DBforPostgreSQL",
        }
    }

    /// The type's name, a segment for each level below the resource group.
    pub(in crate::azure) const fn types(self) -> &'static [&'static str] {
        match self {
            Self::ResourceGroup => &["resourceGroups"],
            Self::FlexibleServer => &["flexibleServers"],
            Self::Database => &["flexibleServers", "databases"],
            Self::FirewallRule => &["flexibleServers", "firewallRules"],
            Self::Configuration => &["flexibleServers", "configurations"],
            Self::Administrator => &["flexibleServers", "administrators"],
            Self::UserAssignedIdentity => &["userAssignedIdentities"],
            Self::FederatedIdentityCredential => &["userAssignedIdentities", "federatedIdentityCredentials"],
            Self::BackupVault => &["backupVaults"],
            Self::BackupPolicy => &["backupVaults", "backupPolicies"],
            Self::BackupInstance => &["backupVaults", "backupInstances"],
        }
    }

    /// For example `Microsoft.DBforPostgreSQL/flexibleServers/databases`.
    pub(in crate::azure) fn full_type(self) -> String {
        format!("{}/{}", self.namespace(), self.types().join("/"))
    }

    const fn parent(self) -> Option<Self> {
        match self {
            Self::ResourceGroup => None,
            Self::FlexibleServer | Self::UserAssignedIdentity | Self::BackupVault => {
                Some(Self::ResourceGroup)
            }
            Self::BackupPolicy | Self::BackupInstance => Some(Self::BackupVault),
            Self::FederatedIdentityCredential => Some(Self::UserAssignedIdentity),
            _ => Some(Self::FlexibleServer),
        }
    }
}

/// One resource, with the spelling its creator used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::azure) struct ResourceId {
    pub(in crate::azure) subscription: String,
    pub(in crate::azure) group: String,
    pub(in crate::azure) kind: Kind,
    /// A name for each segment of the type; empty for a resource group.
    names: Vec<String>,
}

impl ResourceId {
    pub(in crate::azure) fn group(subscription: &str, name: &str) -> Self {
        Self {
            subscription: subscription.to_owned(),
            group: name.to_owned(),
            kind: Kind::ResourceGroup,
            names: Vec::new(),
        }
    }

    pub(in crate::azure) fn name(&self) -> &str {
        self.names.last().unwrap_or(&self.group)
    }

    pub(in crate::azure) fn key(&self) -> Key {
        self.to_string().to_lowercase()
    }

    pub(in crate::azure) fn resource_group(&self) -> Self {
        Self { kind: Kind::ResourceGroup, names: Vec::new(), ..self.clone() }
    }

    pub(in crate::azure) fn parent(&self) -> Option<Self> {
        let names = self.names.split_last().map(|(_, above)| above.to_vec()).unwrap_or_default();
        Some(Self { kind: self.kind.parent()?, names, ..self.clone() })
    }

    pub(in crate::azure) fn child(&self, kind: Kind, name: &str) -> Self {
        let mut names = self.names.clone();
        names.push(name.to_owned());
        Self { kind, names, ..self.clone() }
    }

    /// What a GET shows of a resource that has nothing but properties.
    pub(in crate::azure) fn body(&self, properties: &Value) -> Value {
        json!({
            "properties": properties,
            "id": self.to_string(),
            "name": self.name(),
            "type": self.kind.full_type(),
        })
    }

    /// Reads a path that names one resource, as the control endpoint is given.
    pub(in crate::azure) fn parse(path: &str) -> Option<Self> {
        match Target::parse(path) {
            Ok(Target::Resource(id)) => Some(id),
            _ => None,
        }
    }
}

impl Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The identity provider spells this segment in lower case, which has tripped up many a comparison.
        let groups = if self.kind.namespace() == Kind::UserAssignedIdentity.namespace() {
            "resourcegroups"
        } else {
            "resourceGroups"
        };
        write!(f, "/subscriptions/{}/{groups}/{}", self.subscription, self.group)?;
        if self.kind != Kind::ResourceGroup {
            write!(f, "/providers/{}", self.kind.namespace())?;
            for (segment, name) in self.kind.types().iter().zip(&self.names) {
                write!(f, "/{segment}/{name}")?;
            }
        }
        Ok(())
    }
}

/// What a path points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Resource(ResourceId),
    /// All resources of a kind: below a resource, or in a whole subscription.
    Collection {
        kind: Kind,
        below: Key,
    },
    /// A POST below a server, such as `restart`.
    Action {
        server: ResourceId,
        action: String,
    },
    /// The status of a long-running operation.
    OperationStatus {
        id: String,
    },
    /// The outcome of a long-running operation, by HTTP status.
    OperationResult {
        id: String,
    },
}

impl Target {
    pub(super) fn parse(path: &str) -> Result<Self, ArmError> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let lower: Vec<String> = segments.iter().map(|segment| segment.to_lowercase()).collect();
        let words: Vec<&str> = lower.iter().map(String::as_str).collect();
        let unknown = || {
            ArmError::not_found(
                "NotFound",
                format!("The request URI is not valid: no resource lies at '{path}'."),
            )
        };
        match words.as_slice() {
            ["subscriptions", subscription, "resourcegroups"] => Ok(Self::Collection {
                kind: Kind::ResourceGroup,
                below: format!("/subscriptions/{subscription}"),
            }),
            ["subscriptions", _, "operationresults", id]
            | ["subscriptions", _, "providers", _, "locations", _, "operationresults", id] => {
                Ok(Self::OperationResult { id: (*id).to_owned() })
            }
            ["subscriptions", _, "providers", _, "locations", _, "azureasyncoperation", id] => {
                Ok(Self::OperationStatus { id: (*id).to_owned() })
            }
            ["subscriptions", subscription, "providers", namespace, kind] => Ok(Self::Collection {
                kind: find_kind(namespace, &[kind])?,
                below: format!("/subscriptions/{subscription}"),
            }),
            ["subscriptions", _, "resourcegroups", _, rest @ ..] => {
                let group = ResourceId::group(at(&segments, 1), at(&segments, 3));
                match rest {
                    [] => Ok(Self::Resource(group)),
                    ["providers", namespace, typed @ ..] if !typed.is_empty() => {
                        Self::in_provider(group, namespace, typed, segments.get(6..).unwrap_or_default())
                    }
                    _ => Err(unknown()),
                }
            }
            _ => Err(unknown()),
        }
    }

    /// `typed` alternates types and names, in lower case; `spelled` is the same as the caller wrote it.
    fn in_provider(
        group: ResourceId,
        namespace: &str,
        typed: &[&str],
        spelled: &[&str],
    ) -> Result<Self, ArmError> {
        let kinds: Vec<&str> = typed.iter().step_by(2).copied().collect();
        let names: Vec<String> = spelled.iter().skip(1).step_by(2).map(|name| (*name).to_owned()).collect();
        if let ["flexibleservers", _, action @ ("restart" | "start" | "stop")] = typed {
            let server = ResourceId { kind: Kind::FlexibleServer, names, ..group };
            return Ok(Self::Action { server, action: (*action).to_owned() });
        }
        let kind = find_kind(namespace, &kinds)?;
        if kinds.len() == names.len() {
            return Ok(Self::Resource(ResourceId { kind, names, ..group }));
        }
        let parent = ResourceId { kind: kind.parent().unwrap_or(Kind::ResourceGroup), names, ..group };
        Ok(Self::Collection { kind, below: parent.key() })
    }
}

fn at<'a>(segments: &[&'a str], index: usize) -> &'a str {
    segments.get(index).copied().unwrap_or_default()
}

/// The kind with this type, or the error ARM gives for a type it does not know.
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-not-found>
fn find_kind(namespace: &str, types: &[&str]) -> Result<Kind, ArmError> {
    let same = |kind: &Kind| {
        kind.namespace().eq_ignore_ascii_case(namespace)
            && kind.types().len() == types.len()
            && kind.types().iter().zip(types).all(|(known, asked)| known.eq_ignore_ascii_case(asked))
    };
    Kind::IN_PROVIDERS.into_iter().find(same).ok_or_else(|| {
        ArmError::not_found(
            "InvalidResourceType",
            format!(
                "The resource type '{}' could not be found in the namespace '{namespace}'.",
                types.join("/")
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SERVER: &str =
        "/subscriptions/S/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/db1";

    #[rstest]
    #[case::group("/subscriptions/S/resourceGroups/rg", Kind::ResourceGroup, "rg")]
    #[case::server(SERVER, Kind::FlexibleServer, "db1")]
    #[case::child(&format!("{SERVER}/databases/App"), Kind::Database, "App")]
    #[case::any_case(&SERVER.to_lowercase(), Kind::FlexibleServer, "db1")]
    fn a_path_names_a_resource(#[case] path: &str, #[case] kind: Kind, #[case] name: &str) {
        let Ok(Target::Resource(id)) = Target::parse(path) else { panic!("{path} names no resource") };
        assert_eq!((id.kind, id.name()), (kind, name));
        assert_eq!(id.key(), path.to_lowercase());
    }

    #[test]
    fn the_parent_of_a_child_is_its_server() {
        let id = ResourceId::parse(&format!("{SERVER}/databases/app")).expect("an id");
        assert_eq!(id.parent().expect("a parent").to_string(), SERVER);
        assert_eq!(id.resource_group().to_string(), "/subscriptions/S/resourceGroups/rg");
    }

    #[rstest]
    #[case(&format!("{SERVER}/databases"), Kind::Database, &SERVER.to_lowercase())]
    #[case("/subscriptions/S/resourceGroups", Kind::ResourceGroup, "/subscriptions/s")]
    fn a_path_names_a_collection(#[case] path: &str, #[case] kind: Kind, #[case] below: &str) {
        assert_eq!(Target::parse(path), Ok(Target::Collection { kind, below: below.to_owned() }));
    }

    #[rstest]
    #[case("/subscriptions/S/resourceGroups/rg/providers/Microsoft.Web/sites/x", "InvalidResourceType")]
    #[case("/nowhere", "NotFound")]
    fn an_unknown_path_is_refused(#[case] path: &str, #[case] code: &str) {
        assert_eq!(Target::parse(path).map_err(|error| error.code), Err(code.to_owned()));
    }
}
