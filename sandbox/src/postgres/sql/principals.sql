-- Principals of Microsoft Entra ID: in the database postgres alone, as on Azure.
--
-- On Azure a security label says which principal a role stands for. It takes a module in C to have labels; here it is a
-- table, which only the functions below write.
CREATE SCHEMA azure;

CREATE TABLE azure.principals (
  role oid PRIMARY KEY,
  object_id text NOT NULL,
  type text NOT NULL CHECK (type IN ('user', 'group', 'service')),
  is_admin bool NOT NULL,
  is_mfa bool NOT NULL
);

-- What the directory knows, for principals that are created by their names. The sandbox fills it.
CREATE TABLE azure.directory (name text PRIMARY KEY, object_id text NOT NULL, type text NOT NULL);

-- A dropped role takes its label with it.
CREATE VIEW azure.labelled AS
  SELECT role.rolname, principal.* FROM azure.principals AS principal JOIN pg_roles AS role ON role.oid = principal.role;

GRANT USAGE ON SCHEMA azure TO PUBLIC;

CREATE FUNCTION azure.label(rolename text, objectid text, objecttype text, isadmin bool, ismfa bool) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
BEGIN
  DELETE FROM azure.principals WHERE NOT EXISTS (SELECT FROM pg_roles WHERE oid = principals.role);
  IF EXISTS (SELECT FROM azure.principals WHERE object_id = objectid) THEN
    RAISE EXCEPTION 'Updating an existing principal isn''t supported. Drop and recreate the Microsoft Entra principal.';
  END IF;
  INSERT INTO azure.principals SELECT oid, objectid, objecttype, isadmin, ismfa FROM pg_roles WHERE rolname = rolename;
END
$$;

REVOKE ALL ON FUNCTION azure.label FROM PUBLIC;

-- Whether who logged in is an administrator from Microsoft Entra ID.
CREATE FUNCTION azure.is_entra_admin() RETURNS bool
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT EXISTS (SELECT FROM azure.labelled WHERE rolname = session_user AND is_admin) $$;

CREATE FUNCTION azure.find_in_directory(wanted text) RETURNS azure.directory
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT directory FROM azure.directory WHERE name = wanted $$;

-- An administrator labels roles that they have created.
CREATE FUNCTION azure.label_own(rolename text, objectid text, objecttype text, isadmin bool, ismfa bool) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
BEGIN
  IF NOT azure.is_entra_admin() OR NOT pg_has_role(session_user, rolename, 'MEMBER WITH ADMIN OPTION') THEN
    RAISE EXCEPTION 'permission denied to label role "%"', rolename USING ERRCODE = 'insufficient_privilege';
  END IF;
  PERFORM azure.label(rolename, objectid, objecttype, isadmin, ismfa);
END
$$;

-- On Azure an administrator reaches what belongs to any role that isn't restricted, another administrator among them
-- (learn.microsoft.com/azure/postgresql/security/security-access-control). PostgreSQL wants it said, and no two roles can be
-- members of each other: here those that come later reach those that were there before.
CREATE FUNCTION azure.let_reach_others(administrator text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
DECLARE
  other name;
BEGIN
  FOR other IN
    SELECT role.rolname FROM pg_auth_members JOIN pg_roles AS role ON role.oid = member
    WHERE roleid = 'azure_pg_admin'::regrole AND role.rolcanlogin AND NOT role.rolsuper AND role.rolname <> administrator
      AND NOT pg_has_role(role.oid, administrator, 'MEMBER')
  LOOP
    EXECUTE format('GRANT %I TO %I WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', other, administrator);
  END LOOP;
END
$$;

REVOKE ALL ON FUNCTION azure.let_reach_others FROM PUBLIC;

-- As Azure's API makes an administrator. One that is there already, under the same name, stays as it is.
CREATE FUNCTION azure.create_administrator(rolename text, objectid text, objecttype text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
BEGIN
  IF EXISTS (
    SELECT FROM azure.labelled WHERE object_id = objectid AND rolname = rolename AND type = objecttype AND is_admin)
  THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE ROLE %I LOGIN CREATEROLE CREATEDB', rolename);
  EXECUTE format('GRANT azure_pg_admin TO %I WITH ADMIN OPTION', rolename);
  PERFORM azure.let_reach_others(rolename);
  PERFORM azure.label(rolename, objectid, objecttype, true, false);
END
$$;

-- As Azure's API drops one: PostgreSQL refuses while anything belongs to the role.
CREATE FUNCTION azure.drop_administrator(objectid text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
DECLARE
  administrator name := (SELECT rolname FROM azure.labelled WHERE object_id = objectid AND is_admin);
BEGIN
  IF administrator IS NOT NULL THEN
    EXECUTE format('DROP ROLE %I', administrator);
  END IF;
END
$$;

REVOKE ALL ON FUNCTION azure.create_administrator, azure.drop_administrator FROM PUBLIC;

SET allow_system_table_mods = on;

-- learn.microsoft.com/azure/postgresql/security/security-manage-entra-users. The role is created with the rights of who
-- calls; whether it is so on Azure is not known.
CREATE FUNCTION pg_catalog.pgaadauth_create_principal_with_oid(
  rolename text, objectid text, objecttype text, isadmin bool, ismfa bool) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
BEGIN
  IF NOT azure.is_entra_admin() THEN
    RAISE EXCEPTION 'permission denied: only a Microsoft Entra administrator manages Microsoft Entra principals'
      USING ERRCODE = 'insufficient_privilege';
  ELSIF objecttype NOT IN ('user', 'group', 'service') THEN
    RAISE EXCEPTION 'unknown principal type "%"', objecttype USING ERRCODE = 'invalid_parameter_value';
  ELSIF objectid !~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' THEN
    RAISE EXCEPTION 'invalid object id "%"', objectid USING ERRCODE = 'invalid_parameter_value';
  END IF;
  EXECUTE format('CREATE ROLE %I LOGIN', rolename);
  IF isadmin THEN
    EXECUTE format('ALTER ROLE %I CREATEROLE CREATEDB', rolename);
    EXECUTE format('GRANT azure_pg_admin TO %I WITH ADMIN OPTION', rolename);
  END IF;
  PERFORM azure.label_own(rolename, objectid, objecttype, isadmin, ismfa);
  RETURN format('Created role for "%s"', rolename);
END
$$;

-- Without an object id the role is called what the principal is called in the directory.
CREATE FUNCTION pg_catalog.pgaadauth_create_principal(rolename text, isadmin bool, ismfa bool) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
DECLARE
  known azure.directory := azure.find_in_directory(rolename);
BEGIN
  IF known IS NULL THEN
    RAISE EXCEPTION 'Principal name "%" could not be found in the directory', rolename USING ERRCODE = 'undefined_object';
  END IF;
  RETURN pgaadauth_create_principal_with_oid(rolename, known.object_id, known.type, isadmin, ismfa);
END
$$;

CREATE FUNCTION pg_catalog.pgaadauth_list_principals(isadminvalue bool)
RETURNS TABLE (rolename name, principaltype text, objectid text, tenantid text, ismfa int, isadmin int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
  SELECT rolname, type, object_id, current_setting('azure.tenant_id'), is_mfa::int, is_admin::int
  FROM azure.labelled WHERE is_admin OR NOT isadminvalue
$$;

RESET allow_system_table_mods;

REVOKE ALL ON FUNCTION pgaadauth_create_principal_with_oid, pgaadauth_create_principal, pgaadauth_list_principals
  FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pgaadauth_create_principal_with_oid, pgaadauth_create_principal, pgaadauth_list_principals
  TO azure_pg_admin;

-- The administrator with a password, whom Azure's API makes with the server, and whose password it changes.
CREATE FUNCTION azure.set_password(login text, secret text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
    EXECUTE format('CREATE ROLE %I LOGIN CREATEROLE CREATEDB', login);
    EXECUTE format('GRANT azure_pg_admin TO %I WITH ADMIN OPTION', login);
  END IF;
  EXECUTE format('ALTER ROLE %I PASSWORD %L', login, secret);
END
$$;

REVOKE ALL ON FUNCTION azure.set_password FROM PUBLIC;
