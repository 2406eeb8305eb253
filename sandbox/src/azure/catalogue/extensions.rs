//! Extensions that can be allowed with `azure.extensions`, and libraries that can be preloaded.
//! <https://learn.microsoft.com/azure/postgresql/extensions/concepts-extensions-versions>

pub(in crate::azure) const EXTENSIONS: &str = "address_standardizer,address_standardizer_data_us,age,amcheck,\
anon,azure_ai,azure_storage,bloom,btree_gin,btree_gist,citext,credcheck,cube,dblink,dict_int,dict_xsyn,\
earthdistance,fuzzystrmatch,hll,hstore,hypopg,intagg,intarray,isn,lo,login_hook,ltree,orafce,pageinspect,\
pg_buffercache,pg_cron,pg_diskann,pg_freespacemap,pg_hint_plan,pg_partman,pg_prewarm,pg_repack,pg_squeeze,\
pg_stat_statements,pg_trgm,pg_visibility,pgaudit,pgcrypto,pglogical,pgrouting,pgrowlocks,pgstattuple,plpgsql,\
plv8,postgis,postgis_raster,postgis_sfcgal,postgis_tiger_geocoder,postgis_topology,postgres_fdw,semver,\
session_variable,sslinfo,tablefunc,tds_fdw,timescaledb,topn,tsm_system_rows,tsm_system_time,unaccent,uuid-ossp,\
vector";

pub(in crate::azure) const LIBRARIES: &str = "age,anon,auto_explain,azure_storage,credcheck,login_hook,pg_cron,\
pg_failover_slots,pg_hint_plan,pg_partman_bgw,pg_prewarm,pg_squeeze,pg_stat_statements,pgaudit,pglogical,\
timescaledb,wal2json";
