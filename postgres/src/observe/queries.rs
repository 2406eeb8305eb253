//! The queries. Each reads catalogues only, names what it takes from where, and ends after so many rows.
//!
//! `$1` are names of roles, `$2` is the mark and `$3` the mark with what separates it from notes.

/// Roles that are wanted or that bear the mark.
macro_rules! relevant {
    ($rest:literal) => {
        concat!(
            "WITH relevant AS MATERIALIZED (\
             SELECT oid, rolname FROM pg_roles WHERE rolname = ANY($1) OR oid IN (\
             SELECT objoid FROM pg_shdescription WHERE classoid = 'pg_authid'::regclass \
             AND (description = $2 OR starts_with(description, $3))) \
             ORDER BY rolname LIMIT 2000) ",
            $rest
        )
    };
}

pub(super) const ROLES_LIMIT: usize = 2000;

pub(super) const MYSELF: &str = "SELECT current_user::text";

pub(super) const ROLES: &str = relevant!(
    "SELECT r.rolname::text, r.rolcanlogin, r.rolinherit, r.rolcreaterole, r.rolcreatedb, \
     r.rolsuper OR r.rolreplication OR r.rolbypassrls, r.rolconnlimit, \
     r.rolvaliduntil IS NOT NULL AND r.rolvaliduntil < 'infinity', shobj_description(r.oid, 'pg_authid') \
     FROM relevant JOIN pg_roles r USING (oid) ORDER BY 1"
);

pub(super) const MEMBERSHIPS_LIMIT: usize = 2000;

/// `inherit_option` and `set_option` are there from PostgreSQL 16 on.
pub(super) const MEMBERSHIPS: &str = relevant!(
    "SELECT r.rolname::text, m.rolname::text, coalesce(g.rolname::text, ''), a.admin_option, \
     coalesce((to_jsonb(a) ->> 'inherit_option')::bool, true), coalesce((to_jsonb(a) ->> 'set_option')::bool, true), \
     m.rolsuper OR coalesce(pg_has_role(m.oid, (SELECT oid FROM pg_roles WHERE rolname = 'azure_pg_admin'), 'MEMBER'), false), \
     coalesce(pg_has_role(g.oid, 'USAGE'), false) \
     FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member \
     LEFT JOIN pg_roles g ON g.oid = a.grantor \
     WHERE a.roleid IN (SELECT oid FROM relevant) OR a.member IN (SELECT oid FROM relevant) \
     ORDER BY 1, 2, 3 LIMIT 2000"
);

/// `$4`: object ids in lower case. What is an administrator is in the one list or in both.
pub(super) const PRINCIPALS: &str = relevant!(
    "SELECT DISTINCT rolename::text, lower(objectid::text), isadmin::text IN ('1', 't', 'true') \
     FROM (SELECT * FROM pg_catalog.pgaadauth_list_principals(false) \
     UNION ALL SELECT * FROM pg_catalog.pgaadauth_list_principals(true)) p \
     WHERE lower(objectid::text) = ANY($4) OR rolename::text IN (SELECT rolname::text FROM relevant) \
     ORDER BY 1, 2, 3 LIMIT 2000"
);

/// `$4`: the database; `$5`: names of settings.
pub(super) const SETTINGS: &str = relevant!(
    "SELECT r.rolname::text, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1) \
     FROM pg_db_role_setting s JOIN relevant r ON r.oid = s.setrole JOIN pg_database d ON d.oid = s.setdatabase, \
     unnest(s.setconfig) c WHERE d.datname = $4 AND split_part(c, '=', 1) = ANY($5) ORDER BY 1, 2 LIMIT 2000"
);

pub(super) const SESSIONS: &str = relevant!(
    "SELECT r.rolname::text, count(*) FROM pg_stat_activity a JOIN relevant r ON r.oid = a.usesysid GROUP BY 1 ORDER BY 1"
);

/// PostgreSQL drops a role while its sessions go on.
pub(super) const SESSIONS_OF_DROPPED_ROLES: &str = "SELECT count(*) FROM pg_stat_activity a \
     WHERE a.usesysid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.usesysid)";

/// `$4`: roles that are not asked for, since they own a lot. Extensions aren't handed on, and default privileges can't be.
pub(super) const USES: &str = relevant!(
    "SELECT r.rolname::text, d.datname::text, \
     bool_or(s.deptype = 'o' AND s.classid <> 'pg_default_acl'::regclass), \
     bool_or(s.deptype <> 'o' OR s.classid = 'pg_default_acl'::regclass) \
     FROM relevant r CROSS JOIN LATERAL (SELECT dbid, classid, deptype FROM pg_shdepend \
     WHERE refclassid = 'pg_authid'::regclass AND refobjid = r.oid AND classid <> 'pg_extension'::regclass LIMIT 10000) s \
     LEFT JOIN pg_database d ON d.oid = s.dbid WHERE r.rolname <> ALL($4) GROUP BY 1, 2 ORDER BY 1, 2 NULLS FIRST LIMIT 2000"
);

pub(super) const OWNED_DATABASES_LIMIT: usize = 1000;

pub(super) const OWNED_DATABASES: &str = relevant!(
    "SELECT d.datname::text, r.rolname::text FROM pg_database d JOIN relevant r ON r.oid = d.datdba ORDER BY 1 LIMIT 1000"
);

/// `$1`: the database.
pub(super) const DATABASE: &str = "SELECT pg_get_userbyid(datdba)::text, pg_has_role(datdba, 'USAGE'), \
     pg_encoding_to_char(encoding)::text FROM pg_database WHERE datname = $1";

/// `$1`: the database; `$2`: names of roles.
pub(super) const DATABASE_GRANTS: &str = "SELECT r.rolname::text, a.privilege_type \
     FROM pg_database d CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a \
     LEFT JOIN pg_roles r ON r.oid = a.grantee \
     WHERE d.datname = $1 AND (a.grantee = 0 OR r.rolname = ANY($2)) LIMIT 200";

/// `$1`: names of roles.
pub(super) const PUBLIC_GRANTS: &str = "SELECT r.rolname::text, a.privilege_type \
     FROM pg_namespace n CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a \
     LEFT JOIN pg_roles r ON r.oid = a.grantee \
     WHERE n.nspname = 'public' AND (a.grantee = 0 OR r.rolname = ANY($1)) LIMIT 200";

pub(super) const HAS_PUBLIC: &str = "SELECT true FROM pg_namespace WHERE nspname = 'public'";

/// `$1`: the owner role; `$2`: names of roles.
pub(super) const DEFAULTS: &str = "SELECT d.defaclobjtype::text, r.rolname::text, a.privilege_type \
     FROM pg_default_acl d JOIN pg_roles o ON o.oid = d.defaclrole CROSS JOIN LATERAL aclexplode(d.defaclacl) a \
     JOIN pg_roles r ON r.oid = a.grantee \
     WHERE o.rolname = $1 AND d.defaclnamespace = 0 AND d.defaclobjtype IN ('n', 'r', 'S') AND r.rolname = ANY($2) LIMIT 200";

pub(super) const EXTENSIONS_LIMIT: usize = 500;

pub(super) const EXTENSIONS: &str = "SELECT e.extname::text, e.extversion, pg_get_userbyid(e.extowner)::text, \
     ARRAY(SELECT r.extname::text FROM pg_depend d JOIN pg_extension r ON r.oid = d.refobjid \
     WHERE d.classid = 'pg_extension'::regclass AND d.objid = e.oid AND d.refclassid = 'pg_extension'::regclass), \
     e.extconfig IS NOT NULL FROM pg_extension e ORDER BY 1 LIMIT 500";

/// `$1`: names of extensions. Reads files of the server, so that it is asked only where something is to be done.
pub(super) const OFFERED: &str = "SELECT a.name::text, a.default_version, coalesce(v.requires::text[], '{}') \
     FROM pg_available_extensions a LEFT JOIN pg_available_extension_versions v \
     ON v.name = a.name AND v.version = a.default_version WHERE a.name = ANY($1) LIMIT 200";

pub(super) const STRAYS_LIMIT: usize = 1000;

/// `$1`, `$2`, `$3`: owner, writer and reader. The newest 10,000 are looked at. What belongs to an extension isn't, nor
/// what is temporary or PostgreSQL's own.
pub(super) const STRAY_RELATIONS: &str = "WITH \
     o AS MATERIALIZED (SELECT oid FROM pg_roles WHERE rolname = $1), \
     w AS MATERIALIZED (SELECT oid FROM pg_roles WHERE rolname = $2), \
     r AS MATERIALIZED (SELECT oid FROM pg_roles WHERE rolname = $3), \
     newest AS MATERIALIZED (SELECT oid, relname, relnamespace, relowner, relkind FROM pg_class \
     WHERE oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relpersistence <> 't' ORDER BY oid DESC LIMIT 10000), \
     seen AS (SELECT c.relkind = 'S' AS is_sequence, n.nspname, c.relname, pg_get_userbyid(c.relowner)::text AS owner, \
     c.relowner = (SELECT oid FROM o) AS is_owned, coalesce(CASE WHEN c.relkind = 'S' \
     THEN has_sequence_privilege((SELECT oid FROM r), c.oid, 'SELECT') AND has_sequence_privilege((SELECT oid FROM w), c.oid, 'USAGE') \
     AND has_sequence_privilege((SELECT oid FROM w), c.oid, 'UPDATE') \
     ELSE has_table_privilege((SELECT oid FROM r), c.oid, 'SELECT') AND has_table_privilege((SELECT oid FROM w), c.oid, 'INSERT') \
     AND has_table_privilege((SELECT oid FROM w), c.oid, 'UPDATE') AND has_table_privilege((SELECT oid FROM w), c.oid, 'DELETE') \
     END, false) AS is_granted \
     FROM newest c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname <> 'information_schema' AND NOT starts_with(n.nspname::text, 'pg_') AND NOT EXISTS (SELECT FROM pg_depend d \
     WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) \
     SELECT is_sequence, nspname::text, relname::text, owner, is_granted FROM seen \
     WHERE is_owned IS NOT TRUE OR NOT is_granted ORDER BY 2, 3 LIMIT 1000";

/// `$1`, `$2`: owner and reader. Without `public`, which belongs to the administrators.
pub(super) const STRAY_SCHEMAS: &str = "WITH \
     o AS MATERIALIZED (SELECT oid FROM pg_roles WHERE rolname = $1), \
     r AS MATERIALIZED (SELECT oid FROM pg_roles WHERE rolname = $2), \
     newest AS MATERIALIZED (SELECT oid, nspname, nspowner FROM pg_namespace WHERE oid >= 16384 ORDER BY oid DESC LIMIT 10000), \
     seen AS (SELECT n.nspname::text, pg_get_userbyid(n.nspowner)::text AS owner, \
     n.nspowner = (SELECT oid FROM o) AS is_owned, \
     coalesce(has_schema_privilege((SELECT oid FROM r), n.oid, 'USAGE'), false) AS is_granted FROM newest n \
     WHERE n.nspname NOT IN ('public', 'information_schema') AND NOT starts_with(n.nspname::text, 'pg_') AND NOT EXISTS (SELECT FROM pg_depend d \
     WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')) \
     SELECT nspname, owner, is_granted FROM seen WHERE is_owned IS NOT TRUE OR NOT is_granted ORDER BY 1 LIMIT 1000";

/// What we own in this database beside extensions and what is theirs. `$1`: our role; the database's own schemas aren't
/// ours to hand on.
pub(super) const OWN_SOMETHING: &str = "SELECT EXISTS (SELECT FROM (SELECT classid, objid FROM pg_shdepend \
     WHERE refclassid = 'pg_authid'::regclass AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1) \
     AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND deptype = 'o' \
     AND classid NOT IN ('pg_extension'::regclass, 'pg_default_acl'::regclass) LIMIT 10000) s \
     WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = s.classid AND d.objid = s.objid AND d.deptype = 'e'))";
