SELECT pid, usename AS "user", datname AS database, application_name AS application, host(client_addr) AS address,
       state, extract(epoch FROM now() - backend_start)::float8 AS connected_seconds
FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> 'pgmigrate'
ORDER BY usename, application_name, pid
