//! When Microsoft Entra ID takes a client's assertion for a managed identity.
//!
//! Codes: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>; the words are from what users
//! reported (Azure/azure-workload-identity issues 340, 616, 1200; Azure/login issues 482 and 515).

use jiff::Timestamp;
use serde_json::Value;

/// How far a client's clock may be off.
const SKEW_SECONDS: i64 = 300;

const ADVICE: &str = "Check your federated identity credential Subject, Audience and Issuer against the presented \
                      assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation";

/// A refusal of the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::azure) struct Refusal {
    /// As OAuth 2.0 has it.
    pub(in crate::azure) error: &'static str,
    /// The number behind `AADSTS`.
    pub(in crate::azure) code: u32,
    pub(in crate::azure) words: String,
}

impl Refusal {
    pub(in crate::azure) fn new(error: &'static str, code: u32, words: impl Into<String>) -> Self {
        Self { error, code, words: words.into() }
    }

    fn of_client(code: u32, words: impl Into<String>) -> Self {
        Self::new("invalid_client", code, words)
    }
}

/// A federated credential of the identity names issuer, subject and audience of the assertion, each as it is spelled.
/// `credentials` are the properties of those of the identity.
pub(in crate::azure) fn matches_a_credential<'a>(
    claims: &Value,
    credentials: impl Iterator<Item = &'a Value>,
) -> Result<(), Refusal> {
    let text = |field: &str| claims[field].as_str().unwrap_or_default();
    let (issuer, subject) = (text("iss"), text("sub"));
    let of_issuer: Vec<&Value> = credentials.filter(|credential| credential["issuer"] == issuer).collect();
    if of_issuer.is_empty() {
        return Err(Refusal::of_client(
            700_211,
            format!(
                "No matching federated identity record found for presented assertion issuer '{issuer}'. {ADVICE}"
            ),
        ));
    }
    let spelled = |credential: &&&Value| credential["subject"] == subject;
    let Some(credential) = of_issuer.iter().find(spelled) else {
        let unlike = |credential: &&Value| {
            credential["subject"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(subject))
        };
        let (code, more) = if of_issuer.iter().any(unlike) {
            let more = " The subject matches with case-insensitive comparison, but not with case-sensitive comparison.";
            (7_002_138, more)
        } else {
            (700_213, "")
        };
        let found = format!(
            "No matching federated identity record found for presented assertion subject '{subject}'."
        );
        return Err(Refusal::of_client(code, format!("{found}{more} {ADVICE}")));
    };
    let wanted = credential["audiences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let presented = match &claims["aud"] {
        Value::Array(audiences) => audiences.as_slice(),
        one => std::slice::from_ref(one),
    };
    if presented.iter().any(|audience| wanted.contains(audience)) {
        return Ok(());
    }
    let presented: Vec<&str> = presented.iter().filter_map(Value::as_str).collect();
    Err(Refusal::of_client(
        700_212,
        format!(
            "No matching federated identity record found for presented assertion audience '{}'. {ADVICE}",
            presented.join(", ")
        ),
    ))
}

/// It holds at this moment.
pub(in crate::azure) fn is_within_its_time(claims: &Value, now: Timestamp) -> Result<(), Refusal> {
    let time = |field: &str| claims[field].as_i64();
    let (from, until) =
        (time("nbf").or_else(|| time("iat")).unwrap_or_default(), time("exp").unwrap_or_default());
    let second = now.as_second();
    if from.saturating_sub(SKEW_SECONDS) <= second && second < until.saturating_add(SKEW_SECONDS) {
        return Ok(());
    }
    let date = |second: i64| Timestamp::from_second(second).unwrap_or_default().to_string();
    Err(Refusal::of_client(
        700_024,
        format!(
            "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry time of \
             assertion {}. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
            date(second),
            date(from),
            date(until)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const SUBJECT: &str = "system:serviceaccount:orders:app";

    fn credentials() -> Vec<Value> {
        let credential = |issuer: &str, subject: &str, audience: &str| json!({"issuer": issuer, "subject": subject, "audiences": [audience]});
        vec![
            credential("https://other/", SUBJECT, "api://Other"),
            credential("https://oidc/", "system:serviceaccount:orders:migrate", "api://AzureADTokenExchange"),
            credential("https://oidc/", SUBJECT, "api://AzureADTokenExchange"),
        ]
    }

    fn claims(change: &Value) -> Value {
        let mut claims =
            json!({"iss": "https://oidc/", "sub": SUBJECT, "aud": ["api://AzureADTokenExchange"]});
        json_patch::merge(&mut claims, change);
        claims
    }

    #[rstest]
    #[case::all(json!({}), None)]
    #[case::one_audience(json!({"aud": "api://AzureADTokenExchange"}), None)]
    #[case::among_others(json!({"aud": ["x", "api://AzureADTokenExchange"]}), None)]
    #[case::issuer(json!({"iss": "https://oidc"}), Some(700_211))]
    #[case::subject(json!({"sub": "system:serviceaccount:orders:stranger"}), Some(700_213))]
    #[case::capitals(json!({"sub": "system:serviceaccount:Orders:app"}), Some(7_002_138))]
    #[case::audience(json!({"aud": ["api://azureadtokenexchange"]}), Some(700_212))]
    #[case::audience_of_another(json!({"aud": ["api://Other"]}), Some(700_212))]
    #[case::no_audience(json!({"aud": []}), Some(700_212))]
    #[case::nothing(json!({"iss": null, "sub": null, "aud": null}), Some(700_211))]
    fn an_assertion_matches_a_credential(#[case] change: Value, #[case] code: Option<u32>) {
        let refused = matches_a_credential(&claims(&change), credentials().iter()).err();
        assert_eq!(refused.map(|refused| refused.code), code);
    }

    #[rstest]
    #[case::now(1_000, 5_000, true)]
    #[case::before(2_301, 5_000, false)]
    #[case::clock_ahead(2_300, 5_000, true)]
    #[case::clock_behind(1_000, 1_701, true)]
    #[case::over(1_000, 1_700, false)]
    fn an_assertion_holds_for_a_time(#[case] from: i64, #[case] until: i64, #[case] holds: bool) {
        let now = Timestamp::from_second(2_000).unwrap();
        let checked = is_within_its_time(&json!({"iat": from, "exp": until}), now);
        assert_eq!(checked.is_ok(), holds);
    }

    #[test]
    fn one_without_an_end_does_not_hold() {
        let now = Timestamp::from_second(2_000).unwrap();
        assert_eq!(is_within_its_time(&json!({}), now).unwrap_err().code, 700_024);
    }
}
