-- Whatever holds rows: plain tables, leaves of partitioned ones (a parent has no rows of its own), materialised views;
-- foreign tables, to be named. Members of extensions are configuration of theirs and not the application's.
-- columns: in the order of their names, because an inherited column may stand elsewhere after a restore. "type": the name
-- of a built-in base type, seen through domains; null for any other.
-- key: the columns of the primary key, else of a unique index over columns that cannot be null; null: there is none.
WITH RECURSIVE domain AS (
  SELECT oid, typbasetype AS base FROM pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT d.oid, t.typbasetype FROM domain d JOIN pg_type t ON t.oid = d.base WHERE t.typtype = 'd'
), base AS (
  SELECT oid, oid AS base FROM pg_type WHERE typtype <> 'd'
  UNION ALL
  SELECT d.oid, d.base FROM domain d JOIN pg_type t ON t.oid = d.base WHERE t.typtype <> 'd'
), col AS (
  SELECT a.attrelid, json_agg(json_build_object('name', a.attname, 'type', t.typname) ORDER BY a.attname COLLATE "C") AS list
  FROM pg_attribute a
  LEFT JOIN base b ON b.oid = a.atttypid
  LEFT JOIN pg_type t ON t.oid = b.base AND t.typtype = 'b' AND t.typnamespace = 'pg_catalog'::regnamespace
  WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY 1
), key AS (
  SELECT DISTINCT ON (i.indrelid) i.indrelid, k.list
  FROM pg_index i
  CROSS JOIN LATERAL (SELECT json_agg(a.attname ORDER BY a.attname COLLATE "C") AS list, bool_and(a.attnotnull) AS filled, count(*) AS n
                      FROM unnest(i.indkey[0:i.indnkeyatts - 1]) AS u(num) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num) k
  WHERE i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND k.filled AND k.n = i.indnkeyatts
  ORDER BY i.indrelid, i.indisprimary DESC, k.n, i.indexrelid
)
SELECT n.nspname AS schema, c.relname AS relation,
       c.relkind = 'f' AS "foreign", c.relkind = 'm' AS materialised, c.relispopulated AS populated, c.relpersistence = 'u' AS unlogged,
       CASE WHEN c.relkind = 'f' THEN 0 ELSE pg_relation_size(c.oid) / current_setting('block_size')::int END AS blocks,
       coalesce(col.list, '[]') AS columns, key.list AS key
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN col ON col.attrelid = c.oid
LEFT JOIN key ON key.indrelid = c.oid
WHERE c.relkind IN ('r', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_(toast|temp)' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
