-- One row: what a preflight asks of one database. Members of extensions and Spilo's own schemas are left out.
WITH RECURSIVE own AS (
  SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relkind, c.relpersistence
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'metric_helpers', 'user_management', 'pooler', 'cron', 'zmon_utils')
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')),
-- Materialised views, and the views that each of them reads; PostgreSQL's own functions are in no pg_depend, others are.
reads AS (
  SELECT oid AS root, oid FROM own WHERE relkind = 'm'
  UNION
  SELECT r.root, v.oid FROM reads r
  JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
  JOIN pg_catalog.pg_class v ON v.oid = d.refobjid AND v.relkind = 'v')
SELECT
  current_database() AS database,
  (SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion) ORDER BY extname), '[]')
   FROM pg_catalog.pg_extension) AS extensions,
  (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM own WHERE relpersistence = 'u' AND relkind IN ('r', 'm', 'S')) AS unlogged,
  -- left_over: a failed REINDEX CONCURRENTLY's (x_ccnew, x_ccold1) beside the valid x; not while one is at work.
  (SELECT coalesce(json_agg(json_build_object('name', own.name, 'unique', i.indisunique, 'left_over', CASE
       WHEN c.relname ~ '_cc(new|old)[0-9]*$' AND NOT c.relispartition
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.relid = i.indrelid)
         AND EXISTS (SELECT 1 FROM pg_catalog.pg_index v JOIN pg_catalog.pg_class b ON b.oid = v.indexrelid
           WHERE v.indrelid = i.indrelid AND v.indisvalid AND b.relname = regexp_replace(c.relname, '_cc(new|old)[0-9]*$', ''))
       THEN format('%I.%I', (SELECT nspname FROM pg_catalog.pg_namespace WHERE oid = c.relnamespace), c.relname) END) ORDER BY own.name), '[]')
   FROM own JOIN pg_catalog.pg_index i ON i.indexrelid = own.oid JOIN pg_catalog.pg_class c ON c.oid = own.oid
   WHERE NOT i.indisvalid AND own.relkind = 'i') AS invalid_indexes,
  (SELECT coalesce(json_agg(own.name || ' ' || conname ORDER BY 1), '[]')
   FROM pg_catalog.pg_constraint k JOIN own ON own.oid = k.conrelid WHERE NOT k.convalidated) AS not_valid,
  (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) AS large_objects,
  (SELECT coalesce(json_agg(json_build_object('name', evtname, 'owner', pg_get_userbyid(evtowner), 'event', evtevent)), '[]')
   FROM pg_catalog.pg_event_trigger t WHERE evtenabled <> 'D'
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_event_trigger'::regclass AND e.objid = t.oid AND e.deptype = 'e')) AS event_triggers,
  (SELECT coalesce(json_agg(json_build_object('name', srvname, 'wrapper', fdwname)), '[]')
   FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw) AS foreign_servers,
  -- Views and tables of the application that need an extension which only Spilo has.
  (SELECT coalesce(json_agg(DISTINCT own.name || ' needs ' || x.extname), '[]')
   FROM pg_catalog.pg_depend m
   JOIN pg_catalog.pg_extension x ON x.oid = m.refobjid AND m.refclassid = 'pg_extension'::regclass AND m.deptype = 'e'
   JOIN pg_catalog.pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid AND d.deptype = 'n'
   LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
   JOIN own ON own.oid = CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid ELSE w.ev_class END
   WHERE x.extname IN ('set_user', 'pg_stat_kcache', 'pg_auth_mon', 'pg_mon', 'bg_mon')) AS spilo_dependants,
  (SELECT coalesce(json_agg(DISTINCT pg_get_userbyid(c.relowner)), '[]') FROM own JOIN pg_catalog.pg_class c USING (oid)) AS owners,
  (SELECT coalesce(json_agg(DISTINCT own.name), '[]') FROM reads r JOIN own ON own.oid = r.root
   WHERE pg_catalog.pg_get_viewdef(r.oid) ~* '\m((now|(clock|statement|transaction)_timestamp|timeofday|random|random_normal|gen_random_uuid|nextval|txid_current|pg_current_xact_id)\s*\(|current_(date|time|timestamp)\M|localtime(stamp)?\M)'
     OR EXISTS (SELECT 1 FROM pg_catalog.pg_rewrite w
       JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_proc'::regclass
       JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid AND p.provolatile = 'v'
       WHERE w.ev_class = r.oid)) AS volatile_views,
  pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS wal_position,
  extract(epoch FROM clock_timestamp())::float8 AS clock
