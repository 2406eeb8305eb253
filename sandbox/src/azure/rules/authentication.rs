//! How a server lets administrators in.
//! <https://learn.microsoft.com/azure/postgresql/security/security-entra-concepts>

use super::restore;
use crate::azure::{
    arm::{
        errors::ArmError,
        server::{Server, is_enabled},
    },
    guid,
};

/// Logins that the database or Azure keep for themselves.
const RESERVED_LOGINS: [&str; 8] =
    ["azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public", "postgres"];

/// Passwords are on unless they are turned off.
fn passwords(server: &Server) -> Option<bool> {
    server.properties.auth_config.password_auth.as_deref().map(|setting| is_enabled(Some(setting)))
}

fn allows_passwords(current: Option<&Server>, requested: &Server) -> bool {
    passwords(requested).or_else(|| current.and_then(passwords)).unwrap_or(true)
}

/// At least one of password and Microsoft Entra authentication stays on.
/// <https://learn.microsoft.com/azure/postgresql/security/security-entra-configure>
pub(super) fn some_method_remains(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let entra = Server::effective(current, requested, |server| {
        server.properties.auth_config.active_directory_auth.as_deref()
    });
    if allows_passwords(current, requested) || is_enabled(entra) {
        return Ok(());
    }
    Err(ArmError::invalid_parameter_because(
        "AuthConfig",
        "At least one of password and Microsoft Entra authentication must be enabled.",
    )
    .target("properties.authConfig"))
}

/// Microsoft Entra authentication says of which tenant.
/// <https://learn.microsoft.com/azure/postgresql/security/security-entra-configure>
pub(super) fn entra_names_its_tenant(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let entra = Server::effective(current, requested, |server| {
        server.properties.auth_config.active_directory_auth.as_deref()
    });
    let tenant =
        Server::effective(current, requested, |server| server.properties.auth_config.tenant_id.as_deref());
    if is_enabled(entra) && !tenant.is_some_and(guid::is_guid) {
        return Err(ArmError::invalid_parameter("TenantId").target("properties.authConfig.tenantId"));
    }
    Ok(())
}

/// Turning passwords on, at creation or later, takes a login and a password. A restored server has those of its source.
/// <https://learn.microsoft.com/rest/api/postgresql/servers/update>
pub(super) fn password_comes_with_login(
    current: Option<&Server>,
    requested: &Server,
) -> Result<(), ArmError> {
    let were_on = current.is_some_and(|current| passwords(current).unwrap_or(true));
    if !allows_passwords(current, requested) || were_on || restore::restores(requested) {
        return Ok(());
    }
    let login =
        Server::effective(current, requested, |server| server.properties.administrator_login.as_deref());
    let missing = if login.is_none() {
        "administratorLogin"
    } else if requested.properties.administrator_login_password.is_none() {
        "administratorLoginPassword"
    } else {
        return Ok(());
    };
    Err(ArmError::bad_request(
        "MissingRequiredParameter",
        format!("'{missing}' is required when password authentication is enabled."),
    )
    .target(format!("properties.{missing}")))
}

/// Some logins are taken.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/quickstart-create-server>
pub(super) fn login_is_not_reserved(_: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    match requested.properties.administrator_login.as_deref() {
        Some(login) if RESERVED_LOGINS.contains(&login) || login.starts_with("pg_") || login.is_empty() => {
            Err(ArmError::invalid_parameter("AdministratorLogin").target("properties.administratorLogin"))
        }
        _ => Ok(()),
    }
}

/// 8 to 128 characters of three of: upper case, lower case, digits, others; without the login in it.
/// <https://learn.microsoft.com/azure/postgresql/configure-maintain/quickstart-create-server>
pub(super) fn password_is_strong(current: Option<&Server>, requested: &Server) -> Result<(), ArmError> {
    let Some(password) = requested.properties.administrator_login_password.as_deref() else { return Ok(()) };
    if password.chars().count() > 128 {
        return Err(ArmError::bad_request(
            "PasswordTooLong",
            "The password must have at most 128 characters.",
        ));
    }
    let kinds: [fn(char) -> bool; 4] = [
        |c| c.is_ascii_uppercase(),
        |c| c.is_ascii_lowercase(),
        |c| c.is_ascii_digit(),
        |c| !c.is_ascii_alphanumeric(),
    ];
    let used = kinds.iter().filter(|kind| password.chars().any(**kind)).count();
    let login =
        Server::effective(current, requested, |server| server.properties.administrator_login.as_deref());
    let holds_login = login.is_some_and(|login| password.contains(login));
    if password.chars().count() < 8 || used < 3 || holds_login {
        return Err(ArmError::bad_request(
            "PasswordNotComplex",
            "The password must have 8 to 128 characters of three of: upper case, lower case, digits, others; and \
             must not contain the login.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{
        super::testing::{asking, code, plain},
        *,
    };

    fn entra_only() -> Value {
        json!({"authConfig": {"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled"}})
    }

    #[rstest]
    #[case::entra_only(entra_only(), None)]
    #[case::nothing(
        json!({"authConfig": {"activeDirectoryAuth": "Disabled", "passwordAuth": "Disabled"}}),
        Some("InvalidParameterValue")
    )]
    #[case::passwords_by_default(json!({}), Some("MissingRequiredParameter"))]
    #[case::no_password(json!({"administratorLogin": "dbadmin"}), Some("MissingRequiredParameter"))]
    #[case::no_login(json!({"administratorLoginPassword": "Correct-Horse-1"}), Some("MissingRequiredParameter"))]
    #[case::both(json!({"administratorLogin": "dbadmin", "administratorLoginPassword": "Correct-Horse-1"}), None)]
    #[case::reserved(
        json!({"administratorLogin": "admin", "administratorLoginPassword": "Correct-Horse-1"}),
        Some("InvalidParameterValue")
    )]
    #[case::weak(
        json!({"administratorLogin": "dbadmin", "administratorLoginPassword": "password"}),
        Some("PasswordNotComplex")
    )]
    #[case::holds_login(
        json!({"administratorLogin": "dbadmin", "administratorLoginPassword": "dbadmin-A-1"}),
        Some("PasswordNotComplex")
    )]
    #[case::long(
        json!({"administratorLogin": "dbadmin", "administratorLoginPassword": "Aa1-".repeat(33)}),
        Some("PasswordTooLong")
    )]
    fn a_new_server_lets_somebody_in(#[case] requested: Value, #[case] expected: Option<&str>) {
        let requested = asking(requested);
        let rules =
            [some_method_remains, password_comes_with_login, login_is_not_reserved, password_is_strong];
        let result = rules.iter().try_for_each(|rule| rule(None, &requested));
        assert_eq!(code(result).as_deref(), expected);
    }

    const TENANT: &str = "00000000-0000-4000-8000-0000000000f1";

    #[rstest]
    #[case::off(json!({}), json!({}), true)]
    #[case::said(json!({}), json!({"activeDirectoryAuth": "Enabled", "tenantId": TENANT}), true)]
    #[case::said_before(
        json!({"activeDirectoryAuth": "Enabled", "tenantId": TENANT}),
        json!({"activeDirectoryAuth": "Enabled"}),
        true
    )]
    #[case::missing(json!({}), json!({"activeDirectoryAuth": "Enabled"}), false)]
    #[case::empty(json!({}), json!({"activeDirectoryAuth": "Enabled", "tenantId": ""}), false)]
    #[case::no_guid(json!({}), json!({"activeDirectoryAuth": "enabled", "tenantId": "contoso.com"}), false)]
    fn entra_needs_a_tenant(#[case] current: Value, #[case] requested: Value, #[case] allowed: bool) {
        let [current, requested] = [current, requested].map(|config| asking(json!({"authConfig": config})));
        assert_eq!(entra_names_its_tenant(Some(&current), &requested).is_ok(), allowed);
        assert_eq!(entra_names_its_tenant(None, &current), Ok(()));
    }

    #[rstest]
    #[case::nothing_asked(json!({}), true)]
    #[case::turned_on_alone(json!({"authConfig": {"passwordAuth": "Enabled"}}), false)]
    #[case::turned_on_properly(
        json!({
            "authConfig": {"passwordAuth": "Enabled"},
            "administratorLogin": "dbadmin",
            "administratorLoginPassword": "Correct-Horse-1",
        }),
        true
    )]
    fn passwords_can_be_turned_on_later(#[case] requested: Value, #[case] allowed: bool) {
        let current = asking(entra_only());
        assert_eq!(password_comes_with_login(Some(&current), &asking(requested)).is_ok(), allowed);
    }

    #[test]
    fn a_server_with_passwords_needs_none_again() {
        assert_eq!(password_comes_with_login(Some(&plain()), &asking(json!({}))), Ok(()));
    }
}
