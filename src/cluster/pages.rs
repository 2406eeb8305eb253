//! Lists whose pages have a bounded size in bytes. The API server bounds their number of objects alone, and whoever may
//! write a Secret in a namespace of his own may make it a megabyte: a hundred of those on one page would be the end of a
//! process that has 64 MB.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::{Method, Request, Response, Uri, uri::PathAndQuery};
use http_body_util::{BodyExt, Limited};
use kube::{Client, client::Body};
use tower::{BoxError, service_fn};

/// The largest page, in bytes, of more than one object. A hundred ordinary ones take half of it.
const PAGE: usize = 2 << 20;
/// The largest page of one object: twice what etcd takes, as JSON.
const OBJECT: usize = 6 << 20;

/// Each page that is too large is asked for again with a part of its objects.
const PART: u32 = 4;

#[derive(Debug, thiserror::Error)]
#[error("an object of {path} takes more than {} MiB, and is not read", OBJECT >> 20)]
struct TooLarge {
    path: String,
}

/// The same client, whose lists have a bounded size.
pub(crate) fn bounded(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let pages = Pages::default();
    let service = service_fn(move |request: Request<Body>| {
        let (client, pages) = (client.clone(), pages.clone());
        async move { pages.send(&client, request).await }
    });
    Client::new(service, namespace)
}

/// As many objects of each kind as a page has had room for; those that were asked for, where nothing stands.
#[derive(Clone, Debug, Default)]
struct Pages(Arc<Mutex<HashMap<String, u32>>>);

impl Pages {
    async fn send(&self, client: &Client, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let Some(asked) = asked(&request) else { return Ok(client.send(request).await?) };
        let (head, _) = request.into_parts();
        let path = head.uri.path().to_owned();
        let mut limit = self.limit(&path).map_or(asked, |limit| limit.min(asked));
        loop {
            let mut part = Request::new(Body::empty());
            part.method_mut().clone_from(&head.method);
            part.headers_mut().clone_from(&head.headers);
            *part.uri_mut() = with_limit(&head.uri, limit)?;
            let (head, body) = client.send(part).await?.into_parts();
            let room = if limit > 1 { PAGE } else { OBJECT };
            match Limited::new(body, room).collect().await {
                Ok(body) => {
                    let body = body.to_bytes();
                    let next = if body.len() < PAGE / 4 { limit.saturating_mul(2).min(asked) } else { limit };
                    self.note(&path, next, asked);
                    return Ok(Response::from_parts(head, Body::from(body)));
                }
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    if limit == 1 {
                        return Err(TooLarge { path }.into());
                    }
                    limit = (limit / PART).max(1);
                    self.note(&path, limit, asked);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn limit(&self, path: &str) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied()
    }

    fn note(&self, path: &str, limit: u32, asked: u32) {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if limit < asked {
            limits.insert(path.to_owned(), limit);
        } else {
            limits.remove(path);
        }
    }
}

/// How many objects a list asks for; `None` when it is not a list, or one without pages.
fn asked(request: &Request<Body>) -> Option<u32> {
    let parameters = || request.uri().query().unwrap_or_default().split('&');
    let is_watch = parameters().any(|parameter| parameter == "watch=true" || parameter == "watch=1");
    let limit = parameters().find_map(|parameter| parameter.strip_prefix("limit="))?.parse().ok()?;
    (request.method() == Method::GET && !is_watch && limit > 0).then_some(limit)
}

fn with_limit(uri: &Uri, limit: u32) -> Result<Uri, BoxError> {
    let others = uri.query().unwrap_or_default().split('&').filter(|part| !part.starts_with("limit="));
    let query: Vec<String> =
        others.filter(|part| !part.is_empty()).map(str::to_owned).chain([format!("limit={limit}")]).collect();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{}?{}", uri.path(), query.join("&")))?);
    Ok(Uri::from_parts(parts)?)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use k8s_openapi::api::core::v1::Secret;
    use kube::{
        Api,
        api::{ListParams, WatchParams},
    };
    use rstest::rstest;
    use serde_json::{Value, json};

    use crate::cluster::pages::*;

    /// An API server with Secrets of these sizes, and how large the pages are that it was asked for.
    fn server(sizes: Vec<usize>) -> (Client, Arc<Mutex<Vec<u32>>>) {
        let limits = Arc::new(Mutex::new(Vec::new()));
        let seen = limits.clone();
        let service = service_fn(move |request: Request<Body>| {
            let (sizes, seen) = (sizes.clone(), seen.clone());
            async move {
                let parameter = |name: &str| {
                    let mut all = request.uri().query().unwrap_or_default().split('&');
                    all.find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse::<usize>().ok())
                };
                let limit = parameter("limit").unwrap_or(sizes.len());
                seen.lock().unwrap().push(u32::try_from(limit).unwrap());
                let from = parameter("continue").unwrap_or(0);
                let to = (from + limit).min(sizes.len());
                let items: Vec<Value> = (from..to)
                    .map(|number| json!({"metadata": {"name": format!("s{number}")}, "stringData": {"a": "x".repeat(sizes[number])}}))
                    .collect();
                let next = if to < sizes.len() { to.to_string() } else { String::new() };
                let list = json!({"metadata": {"resourceVersion": "1", "continue": next}, "items": items});
                Ok::<_, Infallible>(Response::new(Body::from(list.to_string().into_bytes())))
            }
        });
        (bounded(Client::new(service, "default")), limits)
    }

    async fn names(client: &Client, limit: u32) -> Vec<String> {
        let (api, mut next, mut names) = (Api::<Secret>::all(client.clone()), None, Vec::new());
        loop {
            let params = ListParams { limit: Some(limit), continue_token: next, ..ListParams::default() };
            let list = api.list(&params).await.unwrap();
            names.extend(list.items.into_iter().filter_map(|secret| secret.metadata.name));
            next = list.metadata.continue_.filter(|next| !next.is_empty());
            if next.is_none() {
                return names;
            }
        }
    }

    #[rstest]
    #[case::ordinary(vec![1000; 250], &[100, 100, 100])]
    #[case::large(vec![1 << 20; 3], &[100, 25, 6, 1, 1, 1])]
    #[case::one_among_many([vec![1000; 120], vec![3 << 20], vec![1000; 120]].concat(), &[100, 100, 25, 6, 12, 24, 6, 1, 2, 1, 2, 1, 1, 2, 4, 8, 16, 32, 64])]
    #[tokio::test]
    async fn a_page_is_as_large_as_there_is_room_for(#[case] sizes: Vec<usize>, #[case] expected: &[u32]) {
        let all: Vec<String> = (0..sizes.len()).map(|number| format!("s{number}")).collect();
        let (client, limits) = server(sizes);
        assert_eq!(names(&client, 100).await, all);
        assert_eq!(*limits.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn an_object_beyond_what_there_can_be_is_refused_by_name_of_its_kind() {
        let (client, _) = server(vec![7 << 20]);
        let error = Api::<Secret>::all(client).list(&ListParams::default().limit(1)).await.unwrap_err();
        assert!(error.to_string().contains("/api/v1/secrets takes more than 6 MiB"), "{error}");
    }

    #[tokio::test]
    async fn what_has_no_pages_is_passed_on() {
        let (client, limits) = server(vec![3 << 20; 2]);
        let api = Api::<Secret>::all(client);
        assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 2);
        drop(api.watch(&WatchParams::default(), "0").await.unwrap());
        assert_eq!(*limits.lock().unwrap(), [2, 2]);
    }
}
