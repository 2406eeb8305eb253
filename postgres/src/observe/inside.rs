//! What is in the app's database.

use std::collections::BTreeMap;

use tokio::try_join;
use tokio_postgres::types::Type;

use super::value;
use super::{
    grant, map, queries,
    values::{Extension, Grant, Inside, Stray, StrayKind},
};
use crate::{
    connect::{Parameter, Session},
    desired::Desired,
    failure::Failure,
    statement::Objects,
};

const DOING: &str = "looking into the database";

pub(super) async fn look(session: &Session, me: &str, desired: &Desired) -> Result<Inside, Failure> {
    let ladder = desired.ladder();
    let roles: Vec<String> = ladder.roles().map(ToString::to_string).into();
    let [owner, writer, reader] = ladder.names();
    let query = |sql, parameters| session.query(DOING, sql, parameters);
    let roles: Parameter<'_> = (&roles, Type::TEXT_ARRAY);
    let [owner, writer, reader, me]: [Parameter<'_>; 4] =
        [(&owner, Type::TEXT), (&writer, Type::TEXT), (&reader, Type::TEXT), (&me, Type::TEXT)];
    let of_public = [roles.clone()];
    let of_defaults = [owner.clone(), roles];
    let of_schemas = [owner.clone(), reader.clone()];
    let of_relations = [owner, writer, reader];
    let of_me = [me];
    let (has_public, public, defaults, extensions, schemas, relations, own) = try_join!(
        query(queries::HAS_PUBLIC, &[]),
        query(queries::PUBLIC_GRANTS, &of_public),
        query(queries::DEFAULTS, &of_defaults),
        query(queries::EXTENSIONS, &[]),
        query(queries::STRAY_SCHEMAS, &of_schemas),
        query(queries::STRAY_RELATIONS, &of_relations),
        query(queries::OWN_SOMETHING, &of_me),
    )?;
    let extensions: BTreeMap<String, Extension> = map(&extensions, |row| {
        let extension = Extension {
            version: value(row, 1)?,
            owner: value(row, 2)?,
            requires: value(row, 3)?,
            holds_data: value(row, 4)?,
        };
        Ok((value(row, 0)?, extension))
    })?;
    let schemas: Vec<Stray> = map(&schemas, |row| {
        let name: String = value(row, 0)?;
        let (owner, is_granted) = (value(row, 1)?, value(row, 2)?);
        Ok(Stray { kind: StrayKind::Schema, schema: name.clone(), name, owner, is_granted })
    })?;
    let relations: Vec<Stray> = map(&relations, |row| {
        let kind = if value(row, 0)? { StrayKind::Sequence } else { StrayKind::Table };
        let (schema, name) = (value(row, 1)?, value(row, 2)?);
        Ok(Stray { kind, schema, name, owner: value(row, 3)?, is_granted: value(row, 4)? })
    })?;
    Ok(Inside {
        public: if has_public.is_empty() { None } else { Some(map(&public, grant)?) },
        defaults: map(&defaults, |row| {
            let on = match value::<String>(row, 0)?.as_str() {
                "n" => Objects::Schemas,
                "S" => Objects::Sequences,
                _ => Objects::Tables,
            };
            Ok((on, Grant { grantee: value(row, 1)?, privilege: value(row, 2)? }))
        })?,
        extensions,
        strays: [schemas, relations].concat(),
        own_something: own.first().map_or(Ok(false), |row| value(row, 0))?,
    })
}
