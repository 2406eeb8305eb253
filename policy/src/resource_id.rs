//! Ids that Azure gives.

/// As that of a Flexible Server is written.
/// <https://learn.microsoft.com/rest/api/postgresql/servers/get>
pub const SERVER: &str =
    "/subscriptions/<id>/resourceGroups/<name>/providers/Microsoft.DBforPostgreSQL/flexibleServers/<name>";

/// The last name in an id, which is the resource's own.
pub fn name(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

/// The name of a Flexible Server by its resource id; `None` for another id. Azure takes it in whatever case.
pub fn server(id: &str) -> Option<&str> {
    resource(id, "Microsoft.DBforPostgreSQL", &["flexibleServers"])
}

/// The last name in the id of a resource of these types; `None` when it is no such id.
/// <https://learn.microsoft.com/rest/api/resources/resources/get-by-id>
pub(crate) fn resource<'a>(id: &'a str, provider: &str, types: &[&str]) -> Option<&'a str> {
    let mut parts = id.strip_prefix('/')?.split('/');
    let mut expect =
        |word: &str| parts.next().filter(|part| part.eq_ignore_ascii_case(word)).and_then(|_| parts.next());
    let subscription = expect("subscriptions").filter(|id| is_guid(id));
    let is_name =
        |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c));
    let group = expect("resourceGroups").filter(is_name);
    let by = expect("providers").filter(|by| by.eq_ignore_ascii_case(provider));
    (subscription.is_some() && group.is_some() && by.is_some()).then_some(())?;
    let mut name = None;
    for word in types {
        name = Some(expect(word).filter(is_name)?);
    }
    name.filter(|_| parts.next().is_none())
}

/// Eight, four, four, four and twelve hexadecimal digits.
pub(crate) fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
