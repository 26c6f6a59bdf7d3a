SELECT datname AS name, pg_get_userbyid(datdba) AS owner, datconnlimit AS connection_limit,
       shobj_description(oid, 'pg_database') AS comment
FROM pg_catalog.pg_database
WHERE datname = ANY (string_to_array($1, E'\n'))
