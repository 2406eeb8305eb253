//! The operator's own identity in Azure, and what its pod is given for it.
//!
//! In a cluster the webhook of Azure Workload Identity gives a pod these variables and the token of its ServiceAccount.
//! <https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html>

use std::ffi::OsString;
use std::net::IpAddr;

use crate::azure::{Azure, WorkloadIdentity};
use crate::certificates;
use crate::kubectl::{self, Kubectl};
use crate::place::Place;
use crate::state::Directory;

const NAMESPACE: &str = "database-operator";
pub(crate) const ACCOUNT: &str = "database-operator-controller";
const IDENTITY: &str = "database-operator";
/// Of the identity, unless the policy names it as the administrator of servers.
const PRINCIPAL: &str = "00000000-0000-4000-8000-0000000000d1";
/// A year: longer than anyone leaves a sandbox up.
const TOKEN_LIFETIME: &str = "8760h";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no token for the operator's identity in Azure: {0}")]
    Token(#[from] kubectl::Error),
    #[error(transparent)]
    Write(#[from] certificates::Error),
}

/// Makes the identity, and returns its client id. Where the policy names a group as the administrator of servers, the identity
/// is its member; where it names a service principal, the identity is that.
pub(crate) fn create(azure: &Azure, place: &Place, issuer: &str) -> String {
    let administrator = place.administrator();
    let principal_id = match administrator {
        Some((id, false)) => id,
        _ => PRINCIPAL,
    };
    let subject = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
    let identity = WorkloadIdentity { name: IDENTITY, principal_id, issuer, subject: &subject };
    let client =
        azure.create_identity(&place.subscription_id, &place.resource_group, &place.location, &identity);
    if let Some((group, true)) = administrator {
        azure.set_members(group, &[principal_id]);
    }
    client
}

/// Makes the identity, and says what the environment of a controller without a pod is to have.
pub(crate) async fn prepare(
    azure: &Azure,
    gateway: IpAddr,
    place: &Place,
    issuer: &str,
    kubectl: &Kubectl,
    directory: &Directory,
) -> Result<Vec<(&'static str, OsString)>, Error> {
    let client = create(azure, place, issuer);
    let audience = crate::azure::TOKEN_EXCHANGE;
    let arguments = [
        "create",
        "token",
        ACCOUNT,
        "--namespace",
        NAMESPACE,
        "--audience",
        audience,
        "--duration",
        TOKEN_LIFETIME,
    ];
    let token = kubectl.run(&arguments).await?;
    let file = directory.path().join("controller-azure-token");
    certificates::write_secret(&file, token.trim())?;
    Ok(vec![
        ("AZURE_AUTHORITY_HOST", format!("{}/", azure.endpoint()).into()),
        ("AZURE_CLIENT_ID", client.into()),
        ("AZURE_FEDERATED_TOKEN_FILE", file.into()),
        ("AZURE_TENANT_ID", place.tenant_id.clone().into()),
        // The names of Azure's servers lead to the sandbox, and its root stands for theirs.
        ("PGHOSTADDR", gateway.to_string().into()),
        ("SSL_CERT_FILE", directory.root_certificate().into()),
    ])
}
