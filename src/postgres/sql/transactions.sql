SELECT 'transaction' AS kind, pid::text AS id, usename AS "user", datname AS database, application_name AS application,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
FROM pg_catalog.pg_stat_activity
WHERE xact_start IS NOT NULL AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND application_name <> 'pgmigrate'
UNION ALL
SELECT 'prepared', gid, owner, database, '', extract(epoch FROM clock_timestamp() - prepared)::float8
FROM pg_catalog.pg_prepared_xacts
ORDER BY seconds DESC
