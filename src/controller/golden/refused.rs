//! What a pass makes of a write that the API server refuses: each write of each case, with each of the codes that mean something
//! else. `refused.snap` tells all that such a write came to.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use walkdir::WalkDir;

use super::{There, api_server::ApiServer, context, kept::Kept};
use crate::controller::database::reconcile::reconcile;

/// It is not allowed; it is gone; somebody was quicker; the API server is in trouble.
const CODES: [u16; 4] = [403, 404, 409, 500];

enum Case {
    Database(There),
    Record(Kept),
}

impl Case {
    /// A pass, and what it came to.
    async fn pass(&self, server: ApiServer) -> (ApiServer, String) {
        let (server, failed) = match self {
            Self::Record(kept) => {
                let (server, outcome) = kept.clone().pass(server).await;
                (server, outcome.err().map(|error| error.stage()))
            }
            Self::Database(there) => {
                let server = server.with(&there.cluster).refusing(&there.refuses);
                let context = Arc::new(context(there, server.client()));
                let outcome = Box::pin(reconcile(Arc::new(there.database()), context)).await;
                (server, outcome.err().map(|error| error.stage()))
            }
        };
        (server, failed.map_or_else(|| "ends".to_owned(), |stage| format!("fails in stage {stage}")))
    }
}

fn cases(directory: &str, read: impl Fn(&Path) -> Case) -> Vec<Case> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/golden")).join(directory);
    let paths = WalkDir::new(root).into_iter().map(|entry| entry.unwrap().into_path());
    paths.filter(|path| path.ends_with("there.yaml")).map(|path| read(&path)).collect()
}

#[tokio::test]
async fn a_pass_goes_on_or_fails_by_what_a_refused_write_means() {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (of, cases) in [
        ("Database", cases("cases", |path| Case::Database(There::read(path)))),
        ("RetainedDatabase", cases("kept", |path| Case::Record(Kept::read(path)))),
    ] {
        for case in cases {
            let (server, _) = case.pass(ApiServer::default()).await;
            let kinds = server.asked();
            for (place, kind) in kinds.iter().enumerate() {
                for code in CODES {
                    let (server, outcome) = case.pass(ApiServer::default().refusing_one(place, code)).await;
                    let then = match server.asked().len() {
                        _ if place + 1 == kinds.len() => "",
                        asked if asked == place + 1 => ", and writes nothing more",
                        _ => ", and writes more",
                    };
                    let what = format!("pass over a {of}: {kind} answered {code}");
                    all.entry(what).or_default().insert(format!("  {outcome}{then}"));
                }
            }
        }
    }
    let lines = all.into_iter().flat_map(|(what, outcomes)| [what].into_iter().chain(outcomes));
    insta::assert_snapshot!("refused", lines.collect::<Vec<_>>().join("\n"));
}
