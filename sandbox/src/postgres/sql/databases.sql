-- The databases that come with every server beside postgres. Nobody but Azure gets into the one, and only administrators
-- into the other, which is the Query Store's.
CREATE DATABASE azure_maintenance STRATEGY file_copy;

REVOKE CONNECT, TEMPORARY ON DATABASE azure_maintenance FROM PUBLIC;

CREATE DATABASE azure_sys STRATEGY file_copy;

REVOKE CONNECT, TEMPORARY ON DATABASE azure_sys FROM PUBLIC;

GRANT CONNECT ON DATABASE azure_sys TO azure_pg_admin;
