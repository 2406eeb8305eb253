//! Publishes the CAs to the webhook configurations, which the API server trusts them from.
//!
//! An annotation there says since when each CA has been trusted by all webhooks of the configuration. It is written
//! with the same request as the bundles, so that a CA that was dropped and came back starts anew; the Secret
//! couldn't say it, for a copy that is put back knows nothing of what happened since.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use json_patch::{AddOperation, Patch as JsonPatch, PatchOperation, TestOperation};
use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    issue::is_past,
    pair::{certificates, fingerprint},
};

/// Since when each CA has been seen in all bundles: an object in JSON, from fingerprint to time.
const PUBLISHED: &str = "altinn.app/ca-published";

/// Who wrote a CA, as the field managers of a configuration show it.
const MANAGER: &str = "database-operator-webhook";

/// Why the CA isn't published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(
        "{kind} {name} doesn't exist: install the chart's webhook configurations, or name others with --webhook-configuration"
    )]
    Absent { kind: String, name: String },
    #[error("{kind} {name} can't be {action}: {source}")]
    Api { kind: String, name: String, action: &'static str, source: Box<kube::Error> },
    #[error("{kind} {name} was changed while it was looked at; it is looked at again")]
    Outdated { kind: String, name: String },
}

impl PublishError {
    /// Whether another replica was quicker, and looking again helps.
    pub(crate) fn is_conflict(&self) -> bool {
        match self {
            Self::Api { source, .. } => {
                matches!(&**source, kube::Error::Api(status) if matches!(status.code, 409 | 422))
            }
            Self::Outdated { .. } => true,
            Self::Absent { .. } => false,
        }
    }
}

/// A webhook configuration, of whichever kind.
trait Configuration: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug {
    /// How the API server reaches each webhook in it.
    fn webhooks(&self) -> Vec<&WebhookClientConfig>;
}

impl Configuration for ValidatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<&WebhookClientConfig> {
        self.webhooks.iter().flatten().map(|webhook| &webhook.client_config).collect()
    }
}

impl Configuration for MutatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<&WebhookClientConfig> {
        self.webhooks.iter().flatten().map(|webhook| &webhook.client_config).collect()
    }
}

/// The two configurations of our webhooks; `None` where one doesn't exist.
#[derive(Debug)]
pub(crate) struct Configurations {
    validating: Option<ValidatingWebhookConfiguration>,
    mutating: Option<MutatingWebhookConfiguration>,
}

/// What one configuration trusts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Trust {
    /// The `caBundle` of each webhook.
    pub bundles: Vec<String>,
    /// Since when all of these bundles have been seen to hold a CA, by its fingerprint. A former version of ours
    /// didn't write it.
    pub since: BTreeMap<String, Timestamp>,
}

impl Trust {
    fn of<K: Configuration>(configuration: Option<&K>) -> Self {
        // One that doesn't exist trusts nothing.
        let Some(configuration) = configuration else {
            return Self { bundles: vec![String::new()], since: BTreeMap::new() };
        };
        let text = |ca: &ByteString| String::from_utf8_lossy(&ca.0).into_owned();
        let webhooks = configuration.webhooks();
        let bundles = webhooks.iter().map(|config| config.ca_bundle.as_ref().map(text).unwrap_or_default());
        let since = configuration.annotations().get(PUBLISHED);
        let since = since.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { bundles: bundles.collect(), since }
    }

    fn holds(&self, ca: &str) -> bool {
        self.bundles.iter().all(|bundle| certificates(bundle).any(|block| block == ca.trim()))
    }

    /// Whether it has held this CA for as long as that at this time.
    fn has_held(&self, ca: &str, settle: SignedDuration, now: Timestamp) -> bool {
        let since = fingerprint(ca).and_then(|print| self.since.get(&print));
        self.holds(ca) && since.is_some_and(|since| now.duration_since(*since) >= settle)
    }

    /// What it is to be, now that these CAs are to be trusted and no others. A CA that comes, or comes back, has no time
    /// before it is seen here: until the request is through, nobody knows when that will be.
    pub fn with(&self, cas: &str, now: Timestamp) -> Self {
        let since = certificates(cas).filter(|ca| self.holds(ca)).filter_map(fingerprint);
        let since = since.map(|print| {
            let before = self.since.get(&print).copied().filter(|since| is_past(*since, now));
            (print, before.unwrap_or(now))
        });
        Self { bundles: vec![cas.to_owned(); self.bundles.len()], since: since.collect() }
    }
}

/// What each configuration trusts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Seen(pub Vec<Trust>);

impl Seen {
    pub fn bundles(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|trust| &trust.bundles).map(String::as_str)
    }

    /// Whether each webhook has trusted this CA for as long as that at this time.
    pub fn has_held(&self, ca: &str, settle: SignedDuration, now: Timestamp) -> bool {
        self.0.iter().all(|trust| trust.has_held(ca, settle, now))
    }
}

impl Configurations {
    pub async fn read(client: &Client, name: &str) -> Result<Self, PublishError> {
        Ok(Self { validating: read(client, name).await?, mutating: read(client, name).await? })
    }

    pub fn seen(&self) -> Seen {
        Seen(vec![Trust::of(self.validating.as_ref()), Trust::of(self.mutating.as_ref())])
    }

    /// Writes the CAs into every webhook of both, and since when they stand there; writes nothing where all is as it
    /// is to be. The time is one at which both had been read.
    pub async fn publish(
        &self,
        client: &Client,
        name: &str,
        cas: &str,
        now: Timestamp,
    ) -> Result<(), PublishError> {
        let validating = write(client, name, self.validating.as_ref(), cas, now).await;
        write(client, name, self.mutating.as_ref(), cas, now).await.and(validating)
    }

    /// Fails where somebody has changed one of them since.
    pub async fn are_unchanged(&self, client: &Client, name: &str) -> Result<(), PublishError> {
        is_unchanged(client, name, self.validating.as_ref()).await?;
        is_unchanged(client, name, self.mutating.as_ref()).await
    }
}

fn failed<K: Configuration>(name: &str, action: &'static str) -> impl FnOnce(kube::Error) -> PublishError {
    let (kind, name) = (K::kind(&()).into_owned(), name.to_owned());
    move |source| PublishError::Api { kind, name, action, source: Box::new(source) }
}

async fn read<K: Configuration>(client: &Client, name: &str) -> Result<Option<K>, PublishError> {
    Api::all(client.clone()).get_opt(name).await.map_err(failed::<K>(name, "read"))
}

async fn write<K: Configuration>(
    client: &Client,
    name: &str,
    configuration: Option<&K>,
    cas: &str,
    now: Timestamp,
) -> Result<(), PublishError> {
    let kind = || K::kind(&()).into_owned();
    let configuration =
        configuration.ok_or_else(|| PublishError::Absent { kind: kind(), name: name.to_owned() })?;
    let stands = Trust::of(Some(configuration));
    let wanted = stands.with(cas, now);
    let patch = patch(configuration.meta(), &stands, &wanted);
    if patch.0.is_empty() {
        return Ok(());
    }
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    Api::<K>::all(client.clone())
        .patch(name, &parameters, &Patch::Json::<()>(patch))
        .await
        .map_err(failed::<K>(name, "patched"))?;
    if wanted.bundles != stands.bundles {
        let count = certificates(cas).count();
        tracing::info!(kind = %kind(), name, count, "published the webhook's CAs");
    }
    Ok(())
}

async fn is_unchanged<K: Configuration>(
    client: &Client,
    name: &str,
    configuration: Option<&K>,
) -> Result<(), PublishError> {
    let version = |found: Option<&K>| found.and_then(|found| found.meta().resource_version.clone());
    let now = read::<K>(client, name).await?;
    if version(now.as_ref()) == version(configuration) {
        return Ok(());
    }
    Err(PublishError::Outdated { kind: K::kind(&()).into_owned(), name: name.to_owned() })
}

/// What has to be written so that a configuration is as it is wanted. It tests that nobody has written since the
/// configuration was read: a replica that was held up must not put back what another has replaced, and the
/// list of webhooks may have changed.
fn patch(metadata: &ObjectMeta, stands: &Trust, wanted: &Trust) -> JsonPatch {
    let add = |path: &[&str], value| {
        PatchOperation::Add(AddOperation {
            path: jsonptr::PointerBuf::from_tokens(path.iter().copied()),
            value,
        })
    };
    let bundles = stands.bundles.iter().zip(&wanted.bundles).enumerate();
    let mut operations: Vec<_> = bundles
        .filter(|(_, (stands, wanted))| stands != wanted)
        .map(|(index, (_, cas))| {
            let cas = json!(ByteString(cas.as_bytes().to_vec()));
            add(&["webhooks", &index.to_string(), "clientConfig", "caBundle"], cas)
        })
        .collect();
    if stands.since != wanted.since {
        let since = json!(json!(wanted.since).to_string());
        operations.push(match metadata.annotations {
            Some(_) => add(&["metadata", "annotations", PUBLISHED], since),
            None => add(&["metadata", "annotations"], json!({ PUBLISHED: since })),
        });
    }
    if !operations.is_empty() {
        let unchanged = TestOperation {
            path: jsonptr::PointerBuf::from_tokens(["metadata", "resourceVersion"]),
            value: json!(metadata.resource_version.as_deref().unwrap_or_default()),
        };
        operations.insert(0, PatchOperation::Test(unchanged));
    }
    JsonPatch(operations)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::admissionregistration::v1::ValidatingWebhook;
    use rstest::rstest;

    use super::*;
    use crate::issue;

    const SETTLE: SignedDuration = SignedDuration::from_secs(60);

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn ca() -> String {
        issue::authority(now()).unwrap().certificate
    }

    fn trust(bundles: &[&str], since: &[(&str, Timestamp)]) -> Trust {
        Trust {
            bundles: bundles.iter().map(|&bundle| bundle.to_owned()).collect(),
            since: since.iter().map(|(ca, since)| (fingerprint(ca).unwrap(), *since)).collect(),
        }
    }

    fn written(metadata: &ObjectMeta, stands: &Trust, wanted: &Trust) -> serde_json::Value {
        serde_json::to_value(patch(metadata, stands, wanted)).unwrap()
    }

    #[test]
    fn only_what_differs_is_written_and_only_to_what_was_read() {
        let metadata = ObjectMeta { resource_version: Some("7".into()), ..ObjectMeta::default() };
        let stands = trust(&["ca", "", "old"], &[]);
        let wanted = trust(&["ca", "ca", "ca"], &[]);
        let mut expected = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
            {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "Y2E="},
            {"op": "add", "path": "/webhooks/2/clientConfig/caBundle", "value": "Y2E="},
        ]);
        assert_eq!(written(&metadata, &stands, &wanted), expected);
        assert_eq!(written(&metadata, &wanted, &wanted), json!([]));

        // The times go along, in a map of annotations that may be there or not.
        let timed = Trust { since: [("print".to_owned(), now())].into(), ..wanted };
        let text = r#"{"print":"2026-11-22T12:00:00Z"}"#;
        let mut operations = expected.as_array_mut().unwrap().clone();
        let annotations = json!({"op": "add", "path": "/metadata/annotations", "value": {PUBLISHED: text}});
        operations.push(annotations);
        assert_eq!(written(&metadata, &stands, &timed), json!(operations));
        let annotated = ObjectMeta { annotations: Some(BTreeMap::new()), ..metadata };
        let path = "/metadata/annotations/altinn.app~1ca-published";
        operations[3] = json!({"op": "add", "path": path, "value": text});
        assert_eq!(written(&annotated, &stands, &timed), json!(operations));
    }

    /// Since how many seconds a CA counts as published after these CAs were: the time there, and what was trusted.
    #[rstest]
    #[case::it_goes_on(Some(-100), true, Some(-100))]
    #[case::nobody_wrote_since_when(None, true, Some(0))]
    #[case::it_came(None, false, None)]
    #[case::it_comes_back(Some(-100), false, None)]
    #[case::a_clock_was_a_little_ahead(Some(100), true, Some(100))]
    #[case::a_clock_was_far_ahead(Some(10_000), true, Some(0))]
    fn a_ca_counts_as_published_since_it_was_seen(
        #[case] before: Option<i64>,
        #[case] is_held: bool,
        #[case] after: Option<i64>,
    ) {
        let at = |seconds| now() + SignedDuration::from_secs(seconds);
        let (ca, other) = (ca(), ca());
        let both = format!("{other}{ca}");
        let since: Vec<_> = before.map(|seconds| (ca.as_str(), at(seconds))).into_iter().collect();
        let second = if is_held { &both } else { &other };
        let stands = trust(&[&both, second], &[&since[..], &[(&other, at(-50))]].concat());
        let since: Vec<_> = after.map(|seconds| (ca.as_str(), at(seconds))).into_iter().collect();
        let expected = trust(&[&both, &both], &[&since[..], &[(&other, at(-50))]].concat());
        assert_eq!(stands.with(&both, now()), expected);
        // What is dropped leaves nothing behind.
        assert_eq!(stands.with(&other, now()), trust(&[&other, &other], &[(&other, at(-50))]));
    }

    #[rstest]
    #[case::for_long_enough(Some(-60), true, true)]
    #[case::not_long_enough(Some(-59), true, false)]
    #[case::not_any_more(Some(-60), false, false)]
    #[case::nobody_knows_since_when(None, true, false)]
    #[case::by_a_clock_that_is_ahead(Some(60), true, false)]
    fn a_ca_has_been_held_for_long_if_each_webhook_has_done_so(
        #[case] since: Option<i64>,
        #[case] is_held: bool,
        #[case] expected: bool,
    ) {
        let at = |seconds| now() + SignedDuration::from_secs(seconds);
        let ca = ca();
        let since: Vec<_> = since.map(|seconds| (ca.as_str(), at(seconds))).into_iter().collect();
        let one = trust(&[&ca, if is_held { &ca } else { "" }], &since);
        let other = trust(&[&ca], &[(&ca, at(-1000))]);
        for seen in [vec![one.clone(), other.clone()], vec![other.clone(), one]] {
            assert_eq!(Seen(seen).has_held(ca.trim(), SETTLE, now()), expected);
        }
    }

    #[rstest]
    #[case::written_by_us(r#"{"print":"2026-11-22T12:00:00Z"}"#, &["print"])]
    #[case::unreadable("yesterday", &[])]
    #[case::another_time(r#"{"print":"yesterday"}"#, &[])]
    fn what_can_not_be_read_is_no_time(#[case] text: &str, #[case] expected: &[&str]) {
        let client_config = WebhookClientConfig {
            ca_bundle: Some(ByteString(b"ca".to_vec())),
            ..WebhookClientConfig::default()
        };
        let webhook = ValidatingWebhook { client_config, ..ValidatingWebhook::default() };
        let mut configuration =
            ValidatingWebhookConfiguration { webhooks: Some(vec![webhook]), ..Default::default() };
        configuration.annotations_mut().insert(PUBLISHED.into(), text.into());
        let trust = Trust::of(Some(&configuration));
        assert_eq!(trust.bundles, ["ca"]);
        assert_eq!(trust.since.keys().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_configuration_that_is_absent_trusts_nothing() {
        let seen = Configurations { validating: None, mutating: None }.seen();
        assert!(!seen.has_held(&ca(), SETTLE, now()));
        assert_eq!(seen.bundles().collect::<String>(), "");
    }
}
