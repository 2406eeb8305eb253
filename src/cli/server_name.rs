//! `database-operator server-name`

use std::path::PathBuf;

use ::policy::{Policy, quote::quote, resource_id, rules::names::database_name};
use api::{DatabaseRef, DatabaseSpec};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::json;

use super::{Failure, read_policy};
use crate::azure::{adoption, names};

/// The version of Azure's API that has all of the modes.
/// <https://learn.microsoft.com/rest/api/postgresql/servers/create-or-update>
const API_VERSION: &str = "2025-08-01";

#[derive(Args, Debug)]
pub(super) struct ServerNameArgs {
    /// The Database, as <namespace>/<name>: one that is there, or is to be applied
    database: String,
    /// The policy, which says the name of the cluster and where its servers are
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Print the command of the Azure CLI that makes the server from another one, with the tags by which the operator finds it
    #[arg(long, value_enum, value_name = "MODE", requires = "source")]
    make: Option<Mode>,
    /// Resource id of the other server
    #[arg(long, value_name = "ID", requires = "make")]
    source: Option<String>,
    /// The moment, as 2026-11-27T12:00:00Z: whose data are restored, or at which the server was dropped
    #[arg(long, value_name = "TIME", requires = "make")]
    time: Option<Timestamp>,
    /// Name of the database in the server, if it isn't that of the Database with _ for each -
    #[arg(long, value_name = "NAME", requires = "make")]
    database_name: Option<String>,
}

/// How Azure makes a server from another one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Mode {
    /// From the automatic backups, as of a moment
    Restore,
    /// One that was dropped, within five days
    Revive,
    /// In the paired region, the latest there is
    GeoRestore,
}

impl Mode {
    /// As Azure calls it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Restore => "PointInTimeRestore",
            Self::Revive => "ReviveDropped",
            Self::GeoRestore => "GeoRestore",
        }
    }
}

pub(super) fn run(args: &ServerNameArgs) -> Result<(), Failure> {
    println!("{}", said(args, &read_policy(&args.policy)?)?);
    Ok(())
}

fn said(args: &ServerNameArgs, policy: &Policy) -> Result<String, String> {
    let database = DatabaseRef::parse(&args.database).ok_or_else(|| {
        format!("{} is no Database; write <namespace>/<name>, such as orders/main", quote(&args.database))
    })?;
    match args.make {
        None => Ok(names::server(&policy.azure.cluster_name.value, database)),
        Some(mode) => command(args, mode, database, policy),
    }
}

/// In one call, so that no server is there without its tags.
fn command(
    args: &ServerNameArgs,
    mode: Mode,
    database: DatabaseRef<'_>,
    policy: &Policy,
) -> Result<String, String> {
    let azure = &policy.azure;
    let source = args.source.as_deref().unwrap_or_default();
    if resource_id::server(source).is_none() {
        return Err(format!(
            "--source {} is not the resource id of a server; write it as Azure shows it, {}",
            quote(source),
            resource_id::SERVER
        ));
    }
    match (mode, args.time) {
        (Mode::Restore | Mode::Revive, None) => {
            return Err("--time is missing; write the moment, such as 2026-11-27T12:00:00Z".to_owned());
        }
        (Mode::GeoRestore, Some(_)) => {
            return Err(
                "--time does nothing with --make geo-restore: Azure has the latest data alone; leave it out"
                    .to_owned(),
            );
        }
        _ => {}
    }
    let name = names::server(&azure.cluster_name.value, database);
    let written = DatabaseSpec { database_name: args.database_name.clone(), ..DatabaseSpec::default() };
    let database_name = database_name(database.name, &written);
    let mut properties = json!({"createMode": mode.as_str(), "sourceServerResourceId": source});
    properties["network"] = match &azure.network.private {
        Some(private) => json!({
            "delegatedSubnetResourceId": private.subnet_id.value,
            "privateDnsZoneArmResourceId": private.dns_zone_id.value,
        }),
        None => json!({"publicNetworkAccess": "Enabled"}),
    };
    if let Some(time) = args.time {
        properties["pointInTimeUTC"] = json!(time.to_string());
    }
    let tags = adoption::tags_of_one_made_by_hand(&azure.cluster_name.value, database, &name, &database_name);
    let body = json!({"location": azure.location.value, "tags": tags, "properties": properties});
    Ok(format!(
        "az rest --method put \\\n  --url 'https://management.azure.com/subscriptions/{}/resourceGroups/{}/providers/\
         Microsoft.DBforPostgreSQL/flexibleServers/{name}?api-version={API_VERSION}' \\\n  --body '{body}'",
        azure.subscription_id.value, azure.resource_group.value
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ServerNameArgs,
    }

    const SOURCE: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-databases/providers/\
                          Microsoft.DBforPostgreSQL/flexibleServers/prod-1-orders-main-fa6e2486";

    fn say(words: &[&str]) -> Result<String, String> {
        let policy = Policy::parse(include_str!("../../examples/policy.yaml")).unwrap();
        let line = Line::try_parse_from([&["server-name", "--policy", "policy.yaml"], words].concat());
        said(&line.map_err(|error| error.to_string())?.args, &policy)
    }

    #[test]
    fn a_database_has_one_server_by_one_name() {
        assert_eq!(say(&["orders/main"]).unwrap(), "prod-1-orders-main-fa6e2486");
    }

    #[test]
    fn a_server_is_made_with_its_tags() {
        let of = |words: &[&str]| say(&[&["orders/main-again", "--source", SOURCE], words].concat()).unwrap();
        insta::assert_snapshot!(of(&["--make", "revive", "--time", "2026-11-27T13:00:00+01:00"]));
        insta::assert_snapshot!(of(&["--make", "geo-restore", "--database-name", "main"]));
        insta::assert_snapshot!(of(&["--make", "restore", "--time", "2026-11-27T12:00:00Z"]));
    }

    #[rstest]
    #[case::no_database(&["main"], "is no Database")]
    #[case::no_source(&["orders/main", "--make", "revive"], "--source")]
    #[case::no_server(&["orders/main", "--make", "revive", "--source", "main"], "is not the resource id")]
    #[case::no_time(&["orders/main", "--make", "revive", "--source", SOURCE], "--time is missing")]
    #[case::no_moment(&["orders/main", "--make", "revive", "--source", SOURCE, "--time", "noon"], "--time")]
    #[case::a_time_in_vain(
        &["orders/main", "--make", "geo-restore", "--source", SOURCE, "--time", "2026-11-27T12:00:00Z"],
        "leave it out"
    )]
    fn what_is_missing_is_said(#[case] words: &[&str], #[case] says: &str) {
        let error = say(words).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}
