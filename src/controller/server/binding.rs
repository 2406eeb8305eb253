//! What an app reads to log in: its Secret by name and content, and its ServiceAccount by name. Pure.

use std::collections::BTreeMap;

use api::Database;
use k8s_openapi::ByteString;
use kube::ResourceExt;
use policy::rules::names::service_account_name;

use crate::trust::ROOTS;

/// TCP port of every server. <https://learn.microsoft.com/azure/postgresql/network/concepts-networking-public>
pub(crate) const PORT: u16 = 5432;

/// Annotation by which a pod's ServiceAccount gets tokens of its identity.
/// <https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html>
pub(crate) const CLIENT_ID: &str = "azure.workload.identity/client-id";

/// The key with the roots, which is the name of the file where the Secret is mounted.
const ROOTS_KEY: &str = "ca.crt";

/// Type of a binding Secret. <https://servicebinding.io/spec/core/1.1.0/#provisioned-service>
pub(crate) const BINDING_TYPE: &str = "servicebinding.io/postgresql";

/// What the name of a `Database`'s Secret ends with.
const SECRET: &str = "-db-credentials";

/// Name of the Secret of a `Database`.
pub(crate) fn secret_name(database: &str) -> String {
    format!("{database}{SECRET}")
}

/// The name of the `Database` whose Secret has this name.
pub(crate) fn database_of(secret: &str) -> Option<&str> {
    secret.strip_suffix(SECRET).filter(|database| !database.is_empty())
}

/// Name of the ServiceAccount with which the app of a `Database` logs in.
pub(crate) fn account(database: &Database) -> String {
    service_account_name(&database.name_any(), &database.spec)
}

/// How an app logs in.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    /// Without one, it logs in with a token.
    pub(crate) password: Option<&'a str>,
}

/// The app's identity in Microsoft Entra, for an app whose ServiceAccount names another one.
#[derive(Clone, Copy)]
pub(crate) struct EntraIdentity<'a> {
    pub(crate) client_id: &'a str,
    /// In which the server looks for it.
    pub(crate) tenant_id: &'a str,
}

/// The keys of servicebinding.io and of CloudNativePG, libpq's variables under their own names
/// (<https://www.postgresql.org/docs/current/libpq-envars.html>), the app's identity, and the roots that clients check the
/// server by.
///
/// `uri` names no file of roots: where it lies is the app's choice, and so the app sets `PGSSLROOTCERT`, which says it to every
/// client that needs one. Nor does it say `sslrootcert=system`, which older clients and those of Node take for a file of that name. The JDBC
/// driver looks for a file, too, unless it is told to take Java's own list. Libraries for bindings read `sslrootcert` as a
/// file of the binding.
pub(crate) fn data(
    host: &str,
    database: &str,
    identity: Option<EntraIdentity<'_>>,
    login: Login<'_>,
) -> BTreeMap<String, ByteString> {
    // Names of databases, users and hosts hold no character that a URI or a line of pgpass would have to escape, and nor do
    // our passwords.
    let Login { user, password } = login;
    let (before_host, parameter) = password
        .map_or_else(Default::default, |password| (format!(":{password}"), format!("&password={password}")));
    let uri = format!("postgresql://{user}{before_host}@{host}:{PORT}/{database}?sslmode=verify-full");
    let jdbc = format!(
        "jdbc:postgresql://{host}:{PORT}/{database}?user={user}{parameter}&sslmode=verify-full\
         &sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory"
    );
    let pgpass = password.map(|password| format!("{host}:{PORT}:{database}:{user}:{password}"));
    let port = PORT.to_string();
    let more = [
        ("client-id", identity.map(|identity| identity.client_id)),
        ("tenant-id", identity.map(|identity| identity.tenant_id)),
        ("password", password),
        ("PGPASSWORD", password),
        ("pgpass", pgpass.as_deref()),
    ];
    [
        ("type", "postgresql"),
        ("provider", "azure"),
        ("host", host),
        ("port", &port),
        ("database", database),
        ("dbname", database),
        ("username", user),
        ("user", user),
        ("uri", &uri),
        ("jdbc-uri", &jdbc),
        ("sslmode", "verify-full"),
        ("sslrootcert", ROOTS_KEY),
        ("PGHOST", host),
        ("PGPORT", &port),
        ("PGDATABASE", database),
        ("PGUSER", user),
        ("PGSSLMODE", "verify-full"),
        (ROOTS_KEY, ROOTS),
    ]
    .into_iter()
    .chain(more.into_iter().filter_map(|(key, value)| Some((key, value?))))
    .map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec())))
    .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::{Context, rstest};
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use sha2::{Digest, Sha256};

    use super::super::binding::*;

    const IDENTITY: EntraIdentity<'_> = EntraIdentity { client_id: "client", tenant_id: "tenant" };

    #[rstest]
    #[case::identity(Login { user: "s", password: None })]
    #[case::password(Login { user: "dbadmin", password: Some("Aa1Bb2") })]
    fn the_secret_has_what_both_conventions_ask_for(#[context] context: Context, #[case] login: Login<'_>) {
        let data = data("s.postgres.database.azure.com", "my_app_db", Some(IDENTITY), login);
        let shown: BTreeMap<_, _> = data
            .iter()
            // It has a test of its own.
            .filter(|(key, _)| *key != ROOTS_KEY)
            .map(|(key, value)| (key.as_str(), String::from_utf8_lossy(&value.0).into_owned()))
            .collect();
        insta::assert_snapshot!(context.description.unwrap(), serde_json::to_string_pretty(&shown).unwrap());
    }

    #[rstest]
    #[case(
        "DigiCert Global Root G2",
        "2038-01-15",
        "cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f"
    )]
    #[case(
        "Microsoft RSA Root Certificate Authority 2017",
        "2042-07-18",
        "c741f70f4b2a8d88bf2e71c14122ef53ef10eba0cfa5e64cfa20f418853073e0"
    )]
    fn the_secret_has_each_root_that_azure_names_as_mozilla_trusts_it(
        #[case] name: &str,
        #[case] until: &str,
        #[case] fingerprint: &str,
    ) {
        let data = data("h", "d", None, Login { user: "u", password: None });
        // What names the file is what a library for bindings looks for.
        let roots = &data[std::str::from_utf8(&data["sslrootcert"].0).unwrap()].0;
        let mut found = Vec::new();
        for root in CertificateDer::pem_slice_iter(roots) {
            let der = root.unwrap();
            let (_, root) = x509_parser::parse_x509_certificate(&der).unwrap();
            assert!(root.is_ca() && root.verify_signature(None).is_ok(), "{}", root.subject());
            assert!(webpki_root_certs::TLS_SERVER_ROOT_CERTS.contains(&der), "{}", root.subject());
            let cn = root.subject().iter_common_name().next().unwrap().as_str().unwrap().to_owned();
            let until = Timestamp::from_second(root.validity().not_after.timestamp()).unwrap();
            found.push((cn, until.to_string(), Sha256::digest(&der)));
        }
        assert_eq!(found.len(), 2);
        let (_, day, digest) = found.iter().find(|(cn, ..)| cn == name).unwrap();
        assert!(day.starts_with(until), "{day}");
        assert_eq!(format!("{digest:x}"), fingerprint);
    }

    #[test]
    fn the_keys_are_of_the_form_that_service_binding_asks_for() {
        let data = data("h", "d", Some(IDENTITY), Login { user: "u", password: Some("p") });
        // Libraries for bindings look for none of libpq's.
        for key in data.keys().filter(|key| !key.starts_with("PG")) {
            assert!(
                key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c)),
                "{key}"
            );
        }
    }
}
