-- The user's tables that take the most room, as SQL names them; a handful is enough to compare by.
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p'
  AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'metric_helpers', 'user_management', 'zmon_utils')
ORDER BY pg_total_relation_size(c.oid) DESC, 1
LIMIT 5
