-- Azure's own roles beside those of PostgreSQL.
--
-- Stricter than Azure: there, members of azure_pg_admin manage all roles and see what belongs to any role that is not
-- restricted. Here they have what PostgreSQL gives to a role with CREATEROLE.
CREATE ROLE azure_pg_admin NOLOGIN;

GRANT pg_monitor, pg_signal_backend, pg_read_all_data, pg_checkpoint TO azure_pg_admin WITH ADMIN OPTION;

ALTER DATABASE postgres OWNER TO azure_pg_admin;
