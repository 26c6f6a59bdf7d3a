SELECT rolname AS name, rolsuper AS superuser, rolinherit AS inherit, rolcreaterole AS createrole,
       rolcreatedb AS createdb, rolcanlogin AS login, rolreplication AS replication, rolbypassrls AS bypassrls,
       rolconnlimit AS connection_limit, coalesce((nullif(rolvaliduntil, 'infinity') AT TIME ZONE 'UTC')::text || '+00', 'infinity') AS valid_until,
       shobj_description(oid, 'pg_authid') AS comment
FROM pg_catalog.pg_authid
WHERE rolname !~ '^pg_'
