//! The real Azure Service Operator takes the stand-in for Azure.
// The helpers of tests fail like tests.
#![allow(clippy::unwrap_used)]

#[path = "support/kubectl.rs"]
mod kubectl;

use std::process::Output;

use kubectl::kubectl;
use sandbox::{Options, Sandbox};

/// As our operator writes it, but by hand.
const SERVER: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: administrator}
stringData: {password: "correct-Horse-battery-1"}
---
apiVersion: dbforpostgresql.azure.com/v20250801
kind: FlexibleServer
metadata:
  name: orders
  annotations: {serviceoperator.azure.com/reconcile-policy: detach-on-delete}
spec:
  azureName: sandbox-orders
  owner: {armId: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases}
  location: norwayeast
  version: "17"
  sku: {name: Standard_B1ms, tier: Burstable}
  storage: {storageSizeGB: 32}
  administratorLogin: administrator1
  administratorLoginPassword: {name: administrator, key: password}
"#;

fn apply(sandbox: &Sandbox) -> Output {
    kubectl::run(sandbox, &["apply", "--filename", "-"], SERVER)
}

async fn servers(sandbox: &Sandbox) -> Vec<String> {
    let resources = sandbox.azure().resources().await.unwrap();
    let servers =
        resources.into_iter().filter(|existing| existing.resource_type.ends_with("/flexibleServers"));
    servers.map(|server| server.name).collect()
}

#[tokio::test]
async fn a_server_becomes_ready_once_aso_is_installed_and_outlives_its_object() {
    let options = Options { without_aso: true, without_operator: true, ..Options::without_postgres() };
    let sandbox = Sandbox::start(&options).unwrap();

    let refused = apply(&sandbox);
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(errors.contains("no matches for kind \"FlexibleServer\""), "{errors}");

    sandbox.install_aso().unwrap();
    let aso = sandbox.process("aso");
    aso.stop().unwrap();
    let down = sandbox.install_aso().unwrap_err().to_string();
    assert!(down.contains("409") && down.contains("aso is stopped"), "{down}");
    aso.start().unwrap();
    sandbox.install_aso().unwrap();
    let applied = apply(&sandbox);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    kubectl(&sandbox, &["wait", "flexibleserver/orders", "--for=condition=Ready", "--timeout=60s"], "");
    let query = "jsonpath={.status.fullyQualifiedDomainName}";
    let host = kubectl(&sandbox, &["get", "flexibleserver", "orders", "-o", query], "");
    assert_eq!(host, "sandbox-orders.postgres.database.azure.com");
    assert_eq!(servers(&sandbox).await, ["sandbox-orders"]);

    kubectl(&sandbox, &["delete", "flexibleserver", "orders", "--timeout=60s"], "");
    assert_eq!(servers(&sandbox).await, ["sandbox-orders"], "detach-on-delete keeps the server");
}
