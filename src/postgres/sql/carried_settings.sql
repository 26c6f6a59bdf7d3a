SELECT d.datname AS database, r.rolname AS role, split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
FROM pg_catalog.pg_db_role_setting s
CROSS JOIN unnest(s.setconfig) c
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase = 0 OR d.datname = ANY (string_to_array($1, E'\n'))
