//! Server parameters. They come with the server, so none can be created or deleted; only changes are stored.
//! <https://learn.microsoft.com/rest/api/postgresql/configurations>

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{
    call::Call,
    errors::ArmError,
    reply::Reply,
    resource_id::{Kind, ResourceId},
    server::Server,
};
use crate::azure::{
    catalogue::{
        parameters::{self, PGBOUNCER, Parameter},
        sizes,
    },
    cloud::{Cloud, PENDING_RESTART, Resource},
    rules::{parameter, state},
    work::Work,
};

const SET: &str = "UpdateOrcasServerParameterManagementOperation";
const SYSTEM_DEFAULT: &str = "system-default";

/// The parameter as a GET shows it; `None` where the server or the parameter does not exist.
pub(super) fn read(cloud: &Cloud, id: &ResourceId) -> Result<Option<Value>, ArmError> {
    let Some(server) = id.parent().and_then(|server| cloud.get(&server)) else { return Ok(None) };
    state::shows_parameters(server.id.name(), &Server::read(&server.body)?)?;
    let with_pgbouncer = has_pgbouncer(cloud, server);
    let parameter = parameters::find(id.name()).filter(|found| with_pgbouncer || !found.is_of_pgbouncer());
    Ok(parameter.map(|parameter| current(cloud, server, parameter)))
}

pub(super) fn list(cloud: &Cloud, server: &Resource) -> Result<Vec<Value>, ArmError> {
    state::shows_parameters(server.id.name(), &Server::read(&server.body)?)?;
    let with_pgbouncer = has_pgbouncer(cloud, server);
    let shown = parameters::all().filter(|parameter| with_pgbouncer || !parameter.is_of_pgbouncer());
    Ok(shown.map(|parameter| current(cloud, server, parameter)).collect())
}

fn has_pgbouncer(cloud: &Cloud, server: &Resource) -> bool {
    let switch = cloud.get(&server.id.child(Kind::Configuration, PGBOUNCER));
    let value = switch.and_then(|switch| switch.body.pointer("/properties/value")?.as_str());
    value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn current(cloud: &Cloud, server: &Resource, parameter: &Parameter) -> Value {
    let id = server.id.child(Kind::Configuration, parameter.name);
    if let Some(changed) = cloud.get(&id) {
        return changed.body.clone();
    }
    let default = default_value(server, parameter);
    let value = parameter.override_at_birth().unwrap_or(&default);
    body(&id, parameter, &default, value, parameter.source)
}

/// Some defaults follow from the size that the server was created with.
fn default_value(server: &Resource, parameter: &Parameter) -> Cow<'static, str> {
    let size = server.at_birth.pointer("/sku/name").and_then(Value::as_str).and_then(sizes::find);
    parameter.default_on(size)
}

fn body(id: &ResourceId, parameter: &Parameter, default: &str, value: &str, source: &str) -> Value {
    let mut body = json!({
        "properties": {
            "value": value,
            "description": format!("Server parameter {}.", parameter.name),
            "defaultValue": default,
            "dataType": parameter.data_type.name(),
            "allowedValues": parameter.allowed,
            "source": source,
            "isDynamicConfig": parameter.dynamic,
            "isReadOnly": parameter.read_only,
            "isConfigPendingRestart": false,
            "documentationLink": "https://go.microsoft.com/fwlink/?linkid=2274270",
        },
        "id": id.to_string(),
        "name": parameter.name,
        "type": Kind::Configuration.full_type(),
    });
    if !parameter.unit.is_empty() {
        body["properties"]["unit"] = json!(parameter.unit);
    }
    body
}

/// PUT and PATCH mean the same here.
pub(super) fn put(call: &mut Call<'_>, id: &ResourceId, server: &Resource) -> Result<Reply, ArmError> {
    let existing = Server::read(&server.body)?;
    state::shows_parameters(server.id.name(), &existing)?;
    state::is_running(server.id.name(), &existing)?;
    let version = existing.properties.version.as_deref().unwrap_or_default();
    let with_pgbouncer = has_pgbouncer(call.cloud, server);
    let parameter = parameter::exists(id.name(), server.id.name(), version, with_pgbouncer)?;
    let requested = |field: &str| call.body.pointer(&format!("/properties/{field}")).and_then(Value::as_str);
    let source = requested("source");
    parameter::source_is_known(source)?;
    let default = default_value(server, parameter);
    let value = match (requested("value"), source) {
        (_, Some(SYSTEM_DEFAULT)) => default.as_ref(),
        (Some(value), _) => value,
        (None, _) => return Err(ArmError::invalid_parameter("value").target("properties.value")),
    };
    if let Err(refused) = parameter::is_writable(parameter) {
        return Ok(call.accept_in_vain(SET, id, refused));
    }
    parameter::value_is_allowed(parameter, value)?;
    parameter::suits_tier(parameter, value, existing.sku.tier.as_deref())?;

    if call.server_is_busy(id) {
        return Ok(call.accept_in_vain(SET, id, state::busy(server.id.name())));
    }
    let before = current(call.cloud, server, parameter);
    let mut after = body(id, parameter, &default, value, source.unwrap_or("user-override"));
    let changes = before.pointer("/properties/value") != after.pointer("/properties/value");
    let pending = before.pointer(PENDING_RESTART) == Some(&Value::Bool(true));
    after["properties"]["isConfigPendingRestart"] = Value::Bool(pending || (changes && !parameter.dynamic));
    let before = call.cloud.get(id).map(|changed| changed.body.clone());
    let value = (source != Some(SYSTEM_DEFAULT)).then(|| value.to_owned());
    call.work = Some(Work::SetParameter { name: parameter.name.to_owned(), value });
    Ok(call.accept(SET, id, before, Some(after)))
}
