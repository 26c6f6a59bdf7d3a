-- Indexes that sort by a collation, the smallest first. Those of kind hash do not sort; a partitioned one has no pages.
SELECT n.nspname AS schema, c.relname AS relation, c.oid::bigint AS oid, a.amname AS kind, pg_relation_size(c.oid) AS size,
       i.indisexclusion AS exclusion, c.relpersistence = 'u' AS unlogged, json_agg(DISTINCT k.id::oid::text) AS collations
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i' AND c.relpersistence <> 't'
JOIN pg_am a ON a.oid = c.relam AND a.amname <> 'hash'
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_'
CROSS JOIN LATERAL unnest(i.indcollation) AS k(id)
WHERE k.id <> 0
GROUP BY 1, 2, 3, 4, 5, 6, 7
ORDER BY size, 1, 2
