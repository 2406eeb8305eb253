//! Azure fails, and the database becomes ready all the same: once, and without anybody's help.

use api::DatabaseRef;
use database_operator::azure::names;
use rstest::rstest;
use sandbox::azure::{Existing, Fault, Phase};
use serde_json::Value;

use crate::{
    common::{DATABASE, SERVER, Story, azure_requests, clear_faults_of, condition, faults, inject, ready},
    story,
};

/// As often as Azure fails before it works again.
const TIMES: u32 = 3;

/// A fault of every write of the story's server, but of nothing that lies on it.
fn of_server(story: &Story<'_>, phase: Phase, status: u16, code: &str, message: &str) -> Fault {
    Fault {
        method: Some("PUT".to_owned()),
        path: format!(
            "*/flexibleServers/{}",
            names::server("prod-1", DatabaseRef::new(&story.namespace, "main"))
        ),
        status,
        code: code.to_owned(),
        message: message.to_owned(),
        retry_after_seconds: (status == 429).then_some(1),
        times: TIMES,
        phase,
    }
}

/// How many writes of a resource Azure took.
fn taken(story: &Story<'_>, resource: &Existing) -> usize {
    let requests = azure_requests(story.sandbox);
    let is_taken = |method: &str, status: u16| method == "PUT" && status < 400;
    let writes = requests.iter().filter(|request| is_taken(&request.method, request.status));
    writes.filter(|request| request.path.eq_ignore_ascii_case(&resource.id)).count()
}

/// Fails unless the fault has struck as often as it was to.
#[track_caller]
fn has_struck(story: &Story<'_>, fault: &Fault) {
    assert!(faults(story.sandbox).iter().all(|left| left.path != fault.path), "{fault:?}");
}

/// Waits until the status tells of Azure's trouble, in Azure's words.
fn told(story: &Story<'_>, fault: &Fault) -> Value {
    let database = story.wait_reason("main", &fault.code);
    assert_eq!(ready(&database)["status"], "False");
    let message = ready(&database)["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with(&fault.message), "{message}");
    database
}

#[rstest]
#[case::throttled(Phase::Request, 429, "SubscriptionRequestsThrottled")]
#[case::broken(Phase::Request, 500, "InternalServerError")]
#[case::broken_half_way(Phase::Operation, 500, "InternalServerError")]
fn a_write_that_azure_fails_is_told_of_and_done_again(
    #[case] phase: Phase,
    #[case] status: u16,
    #[case] code: &str,
) {
    let story = story();
    let fault = of_server(&story, phase, status, code, "Azure is not well, and says so.");
    // What fails half-way was taken first.
    let in_vain = if phase == Phase::Operation { TIMES as usize } else { 0 };
    inject(story.sandbox, &fault);
    story.database("main", "{}").succeeded();
    let database = told(&story, &fault);
    assert_eq!(condition(&database, "Reconciling").unwrap()["reason"], code);
    assert_eq!(condition(&database, "Stalled"), None, "nobody must act");
    assert_eq!(database["status"]["provisioningState"], "Creating");
    story.wait_ready("main");
    has_struck(&story, &fault);
    assert_eq!(taken(&story, &story.server()), in_vain + 1);

    let born = story.born();
    inject(story.sandbox, &fault);
    story.database("main", "{sku: Standard_B2s}").succeeded();
    let database = told(&story, &fault);
    assert_eq!(database["status"]["provisioningState"], "Updating");
    assert!(story.get("secret", "main-db-credentials").is_some(), "apps go on");
    story.wait_ready("main");
    has_struck(&story, &fault);
    assert_eq!(story.server().body["sku"]["name"], "Standard_B2s");
    assert_eq!(story.born(), born);
    assert_eq!(taken(&story, &story.server()), 2 * (in_vain + 1));
    assert_eq!(taken(&story, &story.in_azure(DATABASE)[0]), 1);
    story.data_is_kept();
}

#[test]
fn every_kind_of_resource_comes_through_500s_on_its_reads_and_writes() {
    let story = story();
    let name = names::server("prod-1", DatabaseRef::new(&story.namespace, "main"));
    let all = [
        format!("*/flexibleServers/{name}"),
        format!("*/flexibleServers/{name}/databases/*"),
        format!("*/flexibleServers/{name}/firewallRules/*"),
        format!("*/flexibleServers/{name}/administrators/*"),
        format!("*/flexibleServers/{name}/configurations/*"),
        format!("*/userAssignedIdentities/{name}"),
        format!("*/userAssignedIdentities/{name}/federatedIdentityCredentials/*"),
    ]
    .map(|path| {
        let fault = of_server(&story, Phase::Request, 500, "InternalServerError", "Azure is not well.");
        Fault { method: None, path, times: 1, ..fault }
    });
    for fault in &all {
        inject(story.sandbox, fault);
    }
    story.database("main", "{parameters: {work_mem: \"8192\"}}").succeeded();
    story.wait_ready("main");
    for fault in &all {
        has_struck(&story, fault);
    }
    story.data_is_kept();
}

#[test]
fn a_busy_server_is_waited_for_without_a_word() {
    let story = story();
    let words =
        "Cannot complete operation while server is busy processing another operation. Try again later.";
    let mut busy = of_server(&story, Phase::Operation, 409, "ServerIsBusy", words);
    // Also of what lies on the server: its database, its rules, its administrator, its parameters.
    busy.path = format!("/flexibleServers/prod-1-{}-", story.namespace);
    busy.times = 6;
    inject(story.sandbox, &busy);
    story.database("main", "{parameters: {work_mem: \"8192\"}}").succeeded();
    story.wait_ready("main");
    inject(story.sandbox, &busy);
    story.database("main", "{sku: Standard_B2s, parameters: {work_mem: \"16384\"}}").succeeded();
    story.wait_ready("main");
    assert_eq!(story.server().body["sku"]["name"], "Standard_B2s");
    let events =
        ["get", "events", "--field-selector=involvedObject.name=main", "-o", "jsonpath={.items[*].reason}"];
    let events = story.kubectl(&events).succeeded();
    assert!(!events.contains("ServerIsBusy"), "it is no news: {events}");
    story.data_is_kept();
    clear_faults_of(story.sandbox, &busy.path);
}

/// <https://learn.microsoft.com/azure/postgresql/flexible-server/how-to-resolve-capacity-errors>
const CORES: &str = "Operation could not be completed as it results in exceeding approved B Cores quota. Additional \
                     details - Current Limit: 10, Current Usage: 10, Additional Required: 1, (Minimum) New Limit \
                     Required: 11. Submit a request for Quota increase by specifying parameters listed in the \
                     'Details' section for deployment to succeed.";
/// <https://learn.microsoft.com/azure/azure-resource-manager/templates/error-resource-quota>
const RESOURCES: &str = "Creating the resource of type Microsoft.DBforPostgreSQL/flexibleServers would exceed the quota \
                         of 800 resources of type Microsoft.DBforPostgreSQL/flexibleServers per resource group. The \
                         current resource count is 800, please delete some resources of this type before creating a new \
                         one.";

#[rstest]
#[case::cores("OperationNotAllowed", CORES, Phase::Request)]
#[case::cores_half_way("OperationNotAllowed", CORES, Phase::Operation)]
#[case::resources("ResourceQuotaExceeded", RESOURCES, Phase::Request)]
fn a_quota_stalls_a_database_until_it_is_raised(
    #[case] code: &str,
    #[case] words: &str,
    #[case] phase: Phase,
) {
    let story = story();
    let quota = Fault { times: u32::MAX, ..of_server(&story, phase, 409, code, words) };
    inject(story.sandbox, &quota);
    story.database("main", "{}").succeeded();
    let stalled = |database: &Value| {
        let stalled = condition(database, "Stalled").unwrap();
        assert_eq!(stalled["reason"], code);
        let message = stalled["message"].as_str().unwrap();
        assert!(message.contains("the platform team must ask Azure for more"), "{message}");
        assert_eq!(message.matches(words).count(), 1, "Azure's words, once: {message}");
        assert_eq!(condition(database, "Reconciling"), None, "a person must act");
    };
    let database = told(&story, &quota);
    stalled(&database);
    assert_eq!(database["status"]["provisioningState"], "Failed");
    clear_faults_of(story.sandbox, &quota.path);
    story.wait_ready("main");
    let healed = story.get("database", "main").unwrap();
    assert_eq!(healed["metadata"]["generation"], database["metadata"]["generation"], "nobody touched it");
    assert_eq!(condition(&healed, "Stalled"), None);

    let (born, size) = (story.born(), story.server().body["sku"].clone());
    inject(story.sandbox, &quota);
    story.database("main", "{sku: Standard_B2s}").succeeded();
    stalled(&told(&story, &quota));
    assert_eq!(story.server().body["sku"], size, "it runs as it was");
    assert!(story.get("secret", "main-db-credentials").is_some(), "apps go on");
    clear_faults_of(story.sandbox, &quota.path);
    story.wait_ready("main");
    assert_eq!(story.server().body["sku"]["name"], "Standard_B2s");
    assert_eq!(story.born(), born);
    assert_eq!(story.in_azure(SERVER).len(), 1);
    story.data_is_kept();
}

/// Azure Service Operator would ask again and again, and get a server some day that nobody wants any more.
#[test]
fn a_server_that_azure_refused_is_not_asked_for_once_its_database_is_deleted() {
    let story = story();
    let refusal = of_server(&story, Phase::Request, 409, "ResourceQuotaExceeded", RESOURCES);
    let quota = Fault { times: u32::MAX, ..refusal };
    inject(story.sandbox, &quota);
    story.database("main", "{}").succeeded();
    told(&story, &quota);
    story.delete_with("Retain");
    let message = ready(&story.wait_record("ServerGone"))["message"].to_string();
    assert!(message.contains("isn't asked for it now"), "{message}");
    let object = story.of_its_databases("flexibleservers").remove(0);
    assert_eq!(object["metadata"]["annotations"]["serviceoperator.azure.com/reconcile-policy"], "skip");
    clear_faults_of(story.sandbox, &quota.path);
    assert_eq!(story.in_azure(SERVER).len(), 0);

    // Who wants it again gets it: there were no data that could be lost.
    story.database("main", "{}").succeeded();
    story.wait_ready("main");
    assert_eq!(story.in_azure(SERVER).len(), 1);
    story.data_is_kept();
}
