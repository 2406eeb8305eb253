//! Whether a new database may begin with the data of another one, as `spec.restoreFrom` says.
//!
//! What is written there stays in Git for years, and may come back after a cluster was lost. So only what is wrong by itself
//! refuses it at admission. What depends on the other database, as it is today, is told in a warning, and keeps the controller
//! from making the server.

use std::borrow::Cow;

pub use crate::origin::Origin;
use api::{Database, DatabaseRef, DatabaseSpec, RestoreFrom};
use jiff::{Timestamp, civil::Date};

use crate::{
    Code, Policy, Problem, field,
    quote::{quote, triggers_tool},
    recorded::Recorded,
    resource_id,
    spec::{major, size_gib},
};

const FIELD: &str = "spec.restoreFrom";
/// How a moment is written.
const EXAMPLE: &str = "2026-11-27T12:00:00Z";

/// The server whose data are wanted, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// What a restored server has in the same way.
    pub comes_along: Recorded,
    /// Extensions and parameters, which Azure doesn't copy; `None` where they aren't known.
    pub settings: Option<DatabaseSpec>,
    /// From when on Azure can restore it.
    pub earliest: Option<Timestamp>,
}

impl Source {
    /// What is known of the server of a `Database`; `None` before Azure has made it.
    pub fn of(database: &Database) -> Option<Self> {
        let recorded = Recorded::from_status(database.status.as_ref())?;
        let mut running = database.spec.clone();
        for (_, value) in field::values() {
            if (value.text)(&recorded.running).is_some() {
                (value.copy)(&mut running, &recorded.running);
            }
        }
        let backups = database.status.as_ref().and_then(|status| status.backups.as_ref());
        Some(Self {
            comes_along: comes_along(Recorded { running, ..recorded }),
            settings: Some(database.spec.clone()),
            earliest: backups.and_then(|backups| Some(backups.earliest_restore_time.as_ref()?.0)),
        })
    }
}

/// What of a server a restored one has, too.
pub fn comes_along(of: Recorded) -> Recorded {
    let mut running = DatabaseSpec::default();
    for (_, value) in field::values().filter(|(_, value)| value.comes_with_data) {
        if (value.text)(&of.running).is_some() {
            (value.copy)(&mut running, &of.running);
        }
    }
    Recorded { running, is_whole: false, location: of.location }
}

/// Whose data are wanted for a database of this namespace; else what is wrong with the words.
pub fn origin<'a>(from: &'a RestoreFrom, database: DatabaseRef<'a>) -> Result<Origin<'a>, Problem> {
    let fail = |field: &str, text: &str| {
        let dot = if field.is_empty() { "" } else { "." };
        Err(Problem::new(Code::RestoreImpossible, &format!("{FIELD}{dot}{field}"), text))
    };
    match (from.database.as_deref(), from.server_id.as_deref()) {
        (Some(_), Some(_)) => fail("", "names a database and a serverId; leave one of them out"),
        (None, None) => fail(
            "",
            "names nothing that data could come from; write the name of a Database below it, such as database: main",
        ),
        (Some(written), None) => {
            let (namespace, name) = written.split_once('/').unwrap_or((database.namespace, written));
            if DatabaseRef::parse(&format!("{namespace}/{name}")).is_none() {
                let text = format!(
                    "{} is not a database; write its name, such as main, or <namespace>/<name> for one of another namespace",
                    quote(written)
                );
                return fail("database", &text);
            }
            if DatabaseRef::new(namespace, name) == database {
                let text = format!(
                    "{} is this Database itself, and a restore never goes over data that are there; write the name of \
                     another one, or give this one another metadata.name",
                    quote(written)
                );
                return fail("database", &text);
            }
            Ok(Origin::Database(namespace, name))
        }
        (None, Some(written)) if resource_id::server(written).is_some() => Ok(Origin::Server(written)),
        (None, Some(written)) => {
            let text = format!(
                "{} is not the resource id of a server; write it as Azure shows it, {}",
                quote(written),
                resource_id::SERVER
            );
            fail("serverId", &text)
        }
    }
}

/// The moment that is written; `None` where it is left out.
pub fn moment(from: &RestoreFrom, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let Some(written) = from.time.as_deref() else { return Ok(None) };
    let fail = |text: String| Err(Problem::new(Code::RestoreImpossible, &format!("{FIELD}.time"), &text));
    match written.parse::<Timestamp>() {
        Ok(time) if time <= now => Ok(Some(time)),
        Ok(_) => fail(format!("{} lies ahead; write a moment that was, such as {EXAMPLE}", quote(written))),
        Err(_) => fail(format!("{} is not a moment; write one in UTC, such as {EXAMPLE}", quote(written))),
    }
}

/// Whether the policy lets a database have these data.
pub fn allowed(
    origin: &Origin<'_>,
    database: DatabaseRef<'_>,
    policy: &Policy,
    today: Date,
) -> Result<(), Problem> {
    let is_own = matches!(origin, Origin::Database(namespace, _) if *namespace == database.namespace);
    if is_own { Ok(()) } else { granted(origin, database, policy, today) }
}

/// Whether an entry of the policy gives them to it.
pub fn granted(
    origin: &Origin<'_>,
    database: DatabaseRef<'_>,
    policy: &Policy,
    today: Date,
) -> Result<(), Problem> {
    let entries = policy.copies.iter().filter(|copy| copy.is_about(origin, database));
    let why = match entries.map(|copy| copy.until).max() {
        Some(last) if today <= last => return Ok(()),
        Some(last) => format!("was allowed by the policy until {last} (UTC)"),
        None => "is not allowed by the policy".to_owned(),
    };
    let to = database.to_string();
    let (key, from): (_, Cow<'_, str>) = match origin {
        Origin::Database(namespace, name) => ("from", format!("{namespace}/{name}").into()),
        Origin::Server(_) => ("fromServer", "<resource id>".into()),
    };
    // A namespace may well be called something on which a tool would act.
    let (from, to) = if triggers_tool(&from) || triggers_tool(&to) {
        ("<namespace>/<name>".into(), "<namespace>/<name>".to_owned())
    } else {
        (from, to)
    };
    let field = format!("{FIELD}.{}", if key == "from" { "database" } else { "serverId" });
    let text = format!(
        "{} {why} for this Database; ask the platform team to write {{{key}: {from}, to: {to}, until: <last day>, reason: \
         <why>}} under copies, or, if its data were restored before, take {FIELD} out",
        quote(&origin.to_string())
    );
    Err(Problem::new(Code::RestoreNotAllowed, &field, &text))
}

/// What keeps the data of this source from being restored so, as it is today. `spec` is as it is written.
pub fn against_source(
    spec: &DatabaseSpec,
    from: &RestoreFrom,
    whose: &str,
    source: &Source,
    now: Timestamp,
) -> Vec<Problem> {
    let asked = Asked { spec, from, whose, source, now };
    AGAINST_SOURCE.iter().filter_map(|rule| rule(&asked)).collect()
}

/// What is asked of a source.
struct Asked<'a> {
    spec: &'a DatabaseSpec,
    from: &'a RestoreFrom,
    whose: &'a str,
    source: &'a Source,
    now: Timestamp,
}

const AGAINST_SOURCE: &[fn(&Asked<'_>) -> Option<Problem>] = &[
    in_reach,
    same_version,
    same_database,
    large_enough,
    same_region_of_backups,
    extensions_are_said,
    parameters_are_said,
];

fn impossible(field: &str, text: &str) -> Problem {
    Problem::new(Code::RestoreImpossible, field, text)
}

fn in_reach(asked: &Asked<'_>) -> Option<Problem> {
    let (time, earliest) = (moment(asked.from, asked.now).ok()??, asked.source.earliest?);
    (time < earliest).then(|| {
        let text = format!(
            "{} is before the first moment to which Azure can restore {}; write one from {earliest} to now",
            quote(asked.from.time.as_deref().unwrap_or_default()),
            asked.whose
        );
        impossible("spec.restoreFrom.time", &text)
    })
}

fn same_version(asked: &Asked<'_>) -> Option<Problem> {
    let (wanted, theirs) = (major(asked.spec)?, asked.source.comes_along.major()?);
    (wanted != theirs).then(|| {
        let text = format!(
            "{wanted} is not the version of {}, and data are restored with theirs; leave it out or write {theirs}, and raise \
             it afterwards",
            asked.whose
        );
        impossible("spec.version", &text)
    })
}

fn same_database(asked: &Asked<'_>) -> Option<Problem> {
    let wanted = asked.spec.database_name.as_ref()?;
    let theirs = asked.source.comes_along.running.database_name.as_ref()?;
    (wanted != theirs).then(|| {
        let text = format!(
            "{} is not the database that {} has; leave it out or write {}",
            quote(wanted),
            asked.whose,
            quote(theirs)
        );
        impossible("spec.databaseName", &text)
    })
}

fn large_enough(asked: &Asked<'_>) -> Option<Problem> {
    let (wanted, theirs) = (size_gib(asked.spec)?, asked.source.comes_along.size_gib()?);
    (wanted < theirs).then(|| {
        let text =
            format!("{wanted} is less than {} has; leave it out or write {theirs} or more", asked.whose);
        impossible("spec.storage.sizeGiB", &text)
    })
}

/// Azure decides where backups are when it makes the server.
fn same_region_of_backups(asked: &Asked<'_>) -> Option<Problem> {
    let is_geo = |spec: &DatabaseSpec| spec.backup.as_ref()?.geo_redundant;
    let (wanted, theirs) = (is_geo(asked.spec)?, is_geo(&asked.source.comes_along.running)?);
    (wanted != theirs).then(|| {
        let text = format!(
            "{wanted} is not as {} has it, and it is fixed; leave it out or write {theirs}",
            asked.whose
        );
        impossible("spec.backup.geoRedundant", &text)
    })
}

/// Azure copies no parameter, and with them not the list of extensions. Whoever copies it in silence would take it away with the
/// next apply.
fn extensions_are_said(asked: &Asked<'_>) -> Option<Problem> {
    let theirs = asked.source.settings.as_ref()?.extensions.as_ref().filter(|theirs| !theirs.is_empty())?;
    asked.spec.extensions.is_none().then(|| {
        let text = format!(
            "is left out, and {} has some; write [{}] to have them, or [] to go without",
            asked.whose,
            theirs.join(", ")
        );
        impossible("spec.extensions", &text)
    })
}

fn parameters_are_said(asked: &Asked<'_>) -> Option<Problem> {
    let theirs = asked.source.settings.as_ref()?.parameters.as_ref().filter(|theirs| !theirs.is_empty())?;
    asked.spec.parameters.is_none().then(|| {
        let shown: Vec<String> = theirs.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let text = format!(
            "is left out, and {} has some; write {{{}}} to have them, or {{}} to go without",
            asked.whose,
            shown.join(", ")
        );
        impossible("spec.parameters", &text)
    })
}

#[cfg(test)]
mod tests;
