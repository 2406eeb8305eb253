-- What Azure changes in each database: it is run in template1, too, so that databases that are made later have it.
--
-- The schema public belongs to azure_pg_admin on every version, and everybody may create in it.
ALTER SCHEMA public OWNER TO azure_pg_admin;

GRANT CREATE ON SCHEMA public TO PUBLIC;

SET allow_system_table_mods = on;

-- Whether the parameter azure.extensions lists it. The file is read and not the session's setting, which anybody can
-- change for themselves.
CREATE FUNCTION pg_catalog.azure_allows_extension(wanted text) RETURNS bool
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
  SELECT EXISTS (
    SELECT FROM (
      SELECT setting FROM pg_file_settings WHERE name = 'azure.extensions' ORDER BY seqno DESC LIMIT 1
    ) AS parameter, regexp_split_to_table(lower(setting), ',') AS listed
    WHERE trim(listed) = lower(wanted))
$$;

-- Who isn't a member of azure_pg_admin creates and drops no extension, and who is, only those of the list. The words are
-- Azure's (learn.microsoft.com/azure/postgresql/extensions/errors-extensions). That CREATE EXTENSION IF NOT EXISTS
-- of one that is there passes for everybody is a guess.
CREATE FUNCTION pg_catalog.azure_check_extension(extension text, command text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
BEGIN
  IF NOT pg_has_role(current_user, 'azure_pg_admin', 'MEMBER') THEN
    RAISE EXCEPTION 'Only members of "azure_pg_admin" are allowed to use %', command
      USING ERRCODE = 'insufficient_privilege';
  ELSIF NOT azure_allows_extension(extension) THEN
    RAISE EXCEPTION 'Extension "%" is not allow-listed for "azure_pg_admin" users in Azure Database for PostgreSQL', extension
      USING ERRCODE = 'feature_not_supported';
  END IF;
END
$$;

CREATE FUNCTION pg_catalog.azure_created_extension() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
DECLARE
  created oid;
BEGIN
  -- What it needs was created with it, if not before.
  FOR created IN
    SELECT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_extension'::regclass
    UNION
    SELECT dependency.refobjid
    FROM pg_event_trigger_ddl_commands() AS command
    JOIN pg_depend AS dependency ON dependency.classid = command.classid AND dependency.objid = command.objid
    WHERE command.classid = 'pg_extension'::regclass AND dependency.refclassid = 'pg_extension'::regclass
  LOOP
    PERFORM azure_check_extension((SELECT extname FROM pg_extension WHERE oid = created), 'CREATE EXTENSION');
  END LOOP;
END
$$;

CREATE FUNCTION pg_catalog.azure_dropped_extension() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS
$$
BEGIN
  PERFORM azure_check_extension(object_name, 'DROP EXTENSION')
  FROM pg_event_trigger_dropped_objects() WHERE object_type = 'extension' AND original;
END
$$;

RESET allow_system_table_mods;

CREATE EVENT TRIGGER azure_created_extension ON ddl_command_end
  WHEN TAG IN ('CREATE EXTENSION') EXECUTE FUNCTION pg_catalog.azure_created_extension();

CREATE EVENT TRIGGER azure_dropped_extension ON sql_drop
  WHEN TAG IN ('DROP EXTENSION') EXECUTE FUNCTION pg_catalog.azure_dropped_extension();
