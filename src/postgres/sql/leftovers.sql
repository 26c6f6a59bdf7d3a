SELECT 'schema' AS kind, nspname::text AS name FROM pg_catalog.pg_namespace
WHERE nspname IN ('metric_helpers', 'user_management', 'pooler', 'zmon_utils', 'cron')
UNION ALL
SELECT 'extension', extname FROM pg_catalog.pg_extension
WHERE extname IN ('set_user', 'pg_stat_kcache', 'pg_auth_mon', 'bg_mon', 'pg_mon', 'pgextwlist', 'pg_stat_statements')
ORDER BY 1, 2
