//! What is wanted inside of a server, by SQL: the app's login, its roles and its extensions. Pure.

use api::Authentication;
use policy::{Effective, updating};
use postgres::{
    Access, Create, Credential, DatabaseName, Desired, ExtensionName, ExtensionWish, Generation, Level,
    Login, Mark, NameError, PrincipalKind, RoleName, name,
};

use super::{app_password::AppPasswords, binding::PORT, known::Known, objects::Objects, password};
use crate::{
    azure::{
        Administrator, AsoObject, FlexibleServersAdministrator, FlexibleServersConfiguration, FormerObjects,
        adoption,
        condition::{self, Progress},
        parameters,
    },
    controller::access::{PasswordLogin, Wish},
};

/// Who sets up a server inside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Inside {
    /// The app, whose login administers the server.
    Apps,
    /// The operator, once the server and the app's identity are made.
    NotYet,
    /// The operator.
    Wanted(Box<Wish>),
    /// Nobody: PostgreSQL takes no such name.
    Impossible(NameError),
}

impl Inside {
    /// The role that the app logs in as with a token; `None` while there is none.
    pub(crate) fn login(&self) -> Option<&RoleName> {
        match self {
            Self::Wanted(wish) => wish.desired.logins.first().map(|login| &login.role),
            _ => None,
        }
    }
}

/// Of the comment by which the operator knows its roles again. It names the database alone, since a server may be restored
/// under another name, and come to another `Database`.
const MARK: &str = "database-operator: ";

/// `updates` is what `altinn.app/update-extensions` says.
pub(crate) fn inside(
    known: &Known,
    effective: &Effective,
    updates: Option<&str>,
    passwords: Option<&AppPasswords>,
    configurations: &[FlexibleServersConfiguration],
    former: &FormerObjects,
) -> Inside {
    let Administrator::Platform(administrator) = &known.administrator else { return Inside::Apps };
    let Some(host) = known.host() else { return Inside::NotYet };
    let wanted = match (passwords, &known.identity) {
        (Some(passwords), _) => with_passwords(effective, updates, passwords),
        (None, Some(identity)) if effective.authentication == Authentication::Identity => {
            with_identity(effective, updates, &identity.principal_id).map(|it| (it, Vec::new()))
        }
        (None, _) => return Inside::NotYet,
    };
    let (desired, passwords) = match wanted {
        Ok((desired, passwords)) => (Desired { create: create(known), ..desired }, passwords),
        Err(error) => return Inside::Impossible(error),
    };
    let take_over_from = match &former.administrator {
        Some(_) => former_owners(&known.server_name),
        None => known.owners.iter().filter_map(|name| RoleName::new(name).ok()).collect(),
    };
    Inside::Wanted(Box::new(Wish {
        host: host.to_owned(),
        port: PORT,
        administrator: administrator.name.clone(),
        desired: Desired { take_over_from, ..desired },
        passwords,
        are_extensions_allowed: are_extensions_allowed(configurations, &known.configurations),
        former_login_ends: former.ends && former.administrator.is_some(),
    }))
}

/// The roles by which an app logs in that administers its server: by a token, and by a password. One of a name that
/// PostgreSQL doesn't take owns nothing.
fn former_owners(server_name: &str) -> Vec<RoleName> {
    [server_name, password::LOGIN].into_iter().filter_map(|name| RoleName::new(name).ok()).collect()
}

/// Whether the database is made where the server has none.
fn create(known: &Known) -> Create {
    match () {
        () if known.accepts_empty => Create::Anyway,
        () if known.database_was_made => Create::Never,
        () => Create::IfNew,
    }
}

/// Of a server that is kept: that nobody gets in. `None` where the app administers it, or Azure has made no database.
/// `of_source` are those of the server whose data it was made with, which came with them.
pub(crate) fn closed(
    objects: &Objects,
    of_source: &[FlexibleServersAdministrator],
    database_name: Option<&str>,
) -> Option<Wish> {
    let server = objects.server.as_ref()?;
    let host = server.status.as_ref()?.fully_qualified_domain_name.clone()?;
    let administrators =
        objects.administrators.iter().chain(of_source).map(|administrator| &administrator.spec);
    let Administrator::Platform(principal) = Administrator::of(administrators, None, &server.spec.azure_name)
    else {
        return None;
    };
    // What was restored has a database, whatever was written down of it.
    let came_along = || adoption::restored(server).and_then(|_| adoption::database_name(server));
    let database = database_name.or_else(came_along)?;
    let database = DatabaseName::new(database).ok()?;
    let desired = Desired { access: Access::Closed, ..bare(database).ok()? };
    let administrator = principal.name;
    let (port, passwords) = (PORT, Vec::new());
    Some(Wish {
        host,
        port,
        administrator,
        desired,
        passwords,
        are_extensions_allowed: true,
        former_login_ends: false,
    })
}

/// A database in which nobody is to get in, and nothing is wanted.
fn bare(database: DatabaseName) -> Result<Desired, NameError> {
    Ok(Desired {
        mark: Mark::new(&format!("{MARK}{database}"))?,
        logins: Vec::new(),
        extensions: Vec::new(),
        access: Access::Open,
        create: Create::Never,
        take_over_from: Vec::new(),
        database,
    })
}

/// With the extensions that the app has asked for.
fn with_extensions(effective: &Effective, updates: Option<&str>) -> Result<Desired, NameError> {
    let creatable = effective.extensions.iter().filter(|extension| !extension.only_library);
    let extensions = creatable.map(|extension| {
        let update = updating::names(updates, &extension.name);
        Ok(ExtensionWish { name: ExtensionName::new(&extension.name)?, update })
    });
    let extensions = extensions.collect::<Result<_, NameError>>()?;
    Ok(Desired { extensions, ..bare(DatabaseName::new(&effective.database_name)?)? })
}

fn with_identity(
    effective: &Effective,
    updates: Option<&str>,
    principal_id: &str,
) -> Result<Desired, NameError> {
    let desired = with_extensions(effective, updates)?;
    let app = Login {
        role: name::app(&desired.database),
        credential: Credential::Entra { object_id: principal_id.to_owned(), kind: PrincipalKind::Service },
        level: Level::Owner,
        may_log_in: true,
    };
    Ok(Desired { logins: vec![app], ..desired })
}

fn with_passwords(
    effective: &Effective,
    updates: Option<&str>,
    passwords: &AppPasswords,
) -> Result<(Desired, Vec<PasswordLogin>), NameError> {
    let desired = with_extensions(effective, updates)?;
    let logins = passwords.all().map(|(password, may_log_in)| {
        Ok(PasswordLogin {
            role: name::app_with_password(&desired.database, password.turn),
            text: password.text.clone(),
            generation: Generation::new(&password.generation())?,
            may_log_in,
        })
    });
    let logins = logins.collect::<Result<_, NameError>>()?;
    Ok((desired, logins))
}

/// The login and the password that the app is given; `None` while none is known to work.
pub(crate) fn handed_out(effective: &Effective, passwords: &AppPasswords) -> Option<(RoleName, String)> {
    let works = passwords.works()?;
    let database = DatabaseName::new(&effective.database_name).ok()?;
    Some((name::app_with_password(&database, works.turn), works.text.clone()))
}

/// Whether Azure has taken the lists that say which extensions can be created, and works by them.
fn are_extensions_allowed(
    wanted: &[FlexibleServersConfiguration],
    found: &[FlexibleServersConfiguration],
) -> bool {
    wanted.iter().filter(|wanted| parameters::is_of_extensions(&wanted.spec.azure_name)).all(|wanted| {
        let found = found.iter().find(|found| found.metadata.name == wanted.metadata.name);
        found.is_some_and(|found| {
            let waits = found.status.as_ref().and_then(|status| status.is_config_pending_restart);
            found.same_spec(wanted) && condition::progress(found) == Progress::Ready && waits != Some(true)
        })
    })
}

#[cfg(test)]
mod tests;
