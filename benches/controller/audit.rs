//! Requests that the API server got, by its own log.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// Who asked.
const CONTROLLER: &str = "system:serviceaccount:database-operator:database-operator-controller";
const READS: [&str; 3] = ["get", "list", "watch"];

/// The log, from where it was read last.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
    at: u64,
}

/// How many requests there were of each verb and resource.
#[derive(Clone, Debug, Default)]
pub struct Requests(pub BTreeMap<(String, String), usize>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    user: User,
    object_ref: Option<Reference>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    subresource: String,
}

impl Audit {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), at: 0 }
    }

    /// What the controller, or who has its rights, asked since the last call. Its sign of life, a lease, doesn't count.
    pub fn since(&mut self) -> Requests {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.at)).unwrap();
        let (mut reader, mut line, mut requests) = (BufReader::new(file), String::new(), Requests::default());
        loop {
            line.clear();
            let read = reader.read_line(&mut line).unwrap();
            // The last line may be half written.
            if read == 0 || !line.ends_with('\n') {
                return requests;
            }
            self.at += u64::try_from(read).unwrap();
            // Most lines are others', and reading one as JSON takes a while.
            if line.contains(CONTROLLER)
                && let Ok(event) = serde_json::from_str(&line)
            {
                requests.add(&event);
            }
        }
    }
}

impl Requests {
    fn add(&mut self, event: &Event) {
        // A watch is over when the test is; all others count when they are answered.
        let stage = if event.verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
        let Some(object) = &event.object_ref else { return };
        if event.user.username != CONTROLLER || event.stage != stage || object.resource == "leases" {
            return;
        }
        let mut resource = object.resource.clone();
        if !object.subresource.is_empty() {
            resource = format!("{resource}/{}", object.subresource);
        }
        *self.0.entry((event.verb.clone(), resource)).or_default() += 1;
    }

    /// All that change something.
    pub fn writes(&self) -> usize {
        self.0.iter().filter(|((verb, _), _)| !READS.contains(&verb.as_str())).map(|(_, count)| count).sum()
    }

    /// Those that change this resource.
    pub fn writes_of(&self, resource: &str) -> usize {
        let is_of = |(verb, of): &(String, String)| !READS.contains(&verb.as_str()) && of == resource;
        self.0.iter().filter(|(key, _)| is_of(key)).map(|(_, count)| count).sum()
    }

    /// Those of this verb.
    pub fn of_verb(&self, wanted: &str) -> usize {
        self.0.iter().filter(|((verb, _), _)| verb == wanted).map(|(_, count)| count).sum()
    }
}
