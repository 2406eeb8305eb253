//! Whether a token lets somebody in as a role.
//! <https://learn.microsoft.com/azure/postgresql/security/security-entra-concepts>

use jiff::Timestamp;
use serde_json::Value;

use crate::azure::{jwt::Keys, login::DATABASES};

/// Whom a role stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal {
    pub(super) object_id: String,
    /// Then each member of the group may log in as the role.
    pub(super) is_group: bool,
}

/// Why a token was refused, for the log of logins: the client hears of it as of a wrong password.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) object_id: Option<String>,
    pub(super) reason: String,
}

/// The object id of who presents the token. It is matched by object id and never by name, and is asked for at the login
/// only: a session outlives its token.
pub(super) fn check(
    token: &str,
    keys: &Keys,
    tenant: &str,
    principal: &Principal,
    now: Timestamp,
) -> Result<String, Refused> {
    let refused =
        |object_id: Option<&str>, reason: String| Refused { object_id: object_id.map(str::to_owned), reason };
    let claims = keys.verify(token).map_err(|invalid| refused(None, invalid.to_string()))?;
    let text = |field: &str| claims[field].as_str();
    let object_id = text("oid").unwrap_or_default();
    let because = |reason: String| Err(refused(Some(object_id), reason));
    if text("aud").map(|audience| audience.trim_end_matches('/')) != Some(DATABASES) {
        return because(format!("the audience is {}", claims["aud"]));
    }
    if !text("tid").is_some_and(|known| known.eq_ignore_ascii_case(tenant)) {
        return because(format!("the tenant is {}", claims["tid"]));
    }
    let (from, until) =
        (claims["nbf"].as_i64().unwrap_or_default(), claims["exp"].as_i64().unwrap_or_default());
    if until <= now.as_second() {
        return because("the token has expired".to_owned());
    }
    if from > now.as_second() {
        return because("the token is not valid yet".to_owned());
    }
    let is_it = |id: &Value| id.as_str().is_some_and(|id| id.eq_ignore_ascii_case(&principal.object_id));
    let lets_in = if principal.is_group {
        claims["groups"].as_array().is_some_and(|groups| groups.iter().any(is_it))
    } else {
        is_it(&claims["oid"])
    };
    if lets_in {
        return Ok(object_id.to_owned());
    }
    let what = if principal.is_group { "is not a member of the group" } else { "is not the principal" };
    because(format!("{object_id} {what} {}", principal.object_id))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::azure::jwt::Signer;

    const TENANT: &str = "00000000-0000-4000-8000-0000000000f1";

    fn check_claims(change: &Value, principal: &str, is_group: bool) -> Result<String, String> {
        let mut claims = json!({
            "aud": DATABASES, "tid": TENANT, "nbf": 1_000, "exp": 2_000, "oid": "a", "groups": ["g", "h"],
        });
        json_patch::merge(&mut claims, change);
        let signer = Signer::new().unwrap();
        let token = signer.sign(&claims).unwrap();
        let principal = Principal { object_id: principal.to_owned(), is_group };
        let now = Timestamp::from_second(1_500).unwrap();
        check(&token, &signer.keys(), TENANT, &principal, now).map_err(|refused| refused.reason)
    }

    #[rstest]
    #[case::of_the_principal(json!({}), "A", false, None)]
    #[case::of_a_member(json!({}), "H", true, None)]
    #[case::slash(json!({"aud": "https://ossrdbms-aad.database.windows.net/"}), "a", false, None)]
    #[case::of_another(json!({}), "b", false, Some("a is not the principal b"))]
    #[case::of_no_member(json!({}), "a", true, Some("a is not a member of the group a"))]
    #[case::group_as_a_person(json!({}), "g", false, Some("a is not the principal g"))]
    #[case::without_groups(json!({"groups": null}), "g", true, Some("a is not a member of the group g"))]
    #[case::for_another(json!({"aud": "https://management.azure.com"}), "a", false, Some("the audience is \"https://management.azure.com\""))]
    #[case::another_tenant(json!({"tid": "other"}), "a", false, Some("the tenant is \"other\""))]
    #[case::expired(json!({"exp": 1_500}), "a", false, Some("the token has expired"))]
    #[case::endless(json!({"exp": null}), "a", false, Some("the token has expired"))]
    #[case::too_early(json!({"nbf": 1_501}), "a", false, Some("the token is not valid yet"))]
    fn a_token_lets_in_its_principal(
        #[case] change: Value,
        #[case] principal: &str,
        #[case] is_group: bool,
        #[case] reason: Option<&str>,
    ) {
        let expected = reason.map_or_else(|| Ok("a".to_owned()), |reason| Err(reason.to_owned()));
        assert_eq!(check_claims(&change, principal, is_group), expected);
    }

    #[test]
    fn a_token_of_another_directory_is_none() {
        let (ours, other) = (Signer::new().unwrap(), Signer::new().unwrap());
        let token = other.sign(&json!({"aud": DATABASES, "tid": TENANT, "exp": 2_000, "oid": "a"})).unwrap();
        let principal = Principal { object_id: "a".to_owned(), is_group: false };
        let now = Timestamp::from_second(1_500).unwrap();
        let refused = check(&token, &ours.keys(), TENANT, &principal, now).unwrap_err();
        assert_eq!(refused.object_id, None, "what an unverified token says is nobody's");
    }
}
