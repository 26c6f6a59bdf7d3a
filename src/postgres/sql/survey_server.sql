-- One row: what a preflight asks of the whole server. to_jsonb() reads columns that older versions do not have.
SELECT
  (SELECT json_object_agg(name, setting) FROM pg_catalog.pg_settings
   WHERE name IN ('ssl', 'wal_level', 'max_wal_senders', 'max_replication_slots', 'max_slot_wal_keep_size',
                  'max_connections', 'archive_mode', 'archive_command', 'shared_preload_libraries')) AS settings,
  (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM pg_catalog.pg_settings WHERE pending_restart) AS pending_restart,
  (SELECT coalesce(json_object_agg(name, regexp_replace(sourcefile, '^.*/', '')), '{}')
   FROM pg_catalog.pg_settings WHERE sourcefile IS NOT NULL) AS sources,
  -- What waits for a restart has an error here, too.
  (SELECT coalesce(json_agg(json_build_object(
     'file', regexp_replace(sourcefile, '^.*/', ''), 'line', sourceline, 'name', name, 'error', error)), '[]')
   FROM pg_catalog.pg_file_settings f WHERE error IS NOT NULL
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_settings s WHERE s.name = f.name AND (s.pending_restart OR s.context = 'internal'))) AS file_errors,
  CASE WHEN current_setting('ssl') = 'on' THEN pg_read_file(current_setting('ssl_cert_file'), 0, 1000000, true) END AS certificate,
  (SELECT coalesce(json_agg(json_build_object(
     'type', type, 'databases', database, 'users', user_name, 'address', address, 'netmask', netmask,
     'method', auth_method, 'line', line_number, 'error', error) ORDER BY line_number), '[]')
   FROM pg_catalog.pg_hba_file_rules) AS hba,
  (SELECT coalesce(json_agg(json_build_object(
     'name', application_name, 'state', state, 'lag', pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint)), '[]')
   FROM pg_catalog.pg_stat_replication) AS senders,
  (SELECT coalesce(json_agg(json_build_object(
     'name', slot_name, 'kind', slot_type, 'plugin', plugin, 'database', database, 'active', active,
     'temporary', temporary) ORDER BY slot_name), '[]')
   FROM pg_catalog.pg_replication_slots) AS slots,
  (SELECT coalesce(json_agg(spcname ORDER BY spcname), '[]') FROM pg_catalog.pg_tablespace
   WHERE spcname NOT IN ('pg_default', 'pg_global')) AS tablespaces,
  (SELECT json_build_object('archived', archived_count, 'failed', failed_count,
     'failing', coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL), 'last_failed', last_failed_wal,
     'age_seconds', extract(epoch FROM clock_timestamp() - last_archived_time)::float8,
     'waiting', (SELECT count(*) FROM pg_ls_dir('pg_wal/archive_status') s(name) WHERE name ~ '\.ready$'))
   FROM pg_catalog.pg_stat_archiver) AS archiver,
  (SELECT coalesce(json_agg(json_build_object('database', datname, 'failures', checksum_failures)), '[]')
   FROM pg_catalog.pg_stat_database WHERE checksum_failures > 0) AS checksum_failures,
  (SELECT coalesce(json_agg(json_build_object(
     'name', d.datname, 'provider', to_jsonb(d)->>'datlocprovider', 'recorded', to_jsonb(d)->>'datcollversion')), '[]')
   FROM pg_catalog.pg_database d WHERE d.datallowconn AND NOT d.datistemplate) AS collations,
  (SELECT coalesce(json_agg(json_build_object('database', d.datname, 'role', r.rolname, 'setting', s.setting)), '[]')
   FROM pg_catalog.pg_db_role_setting c
   LEFT JOIN pg_catalog.pg_database d ON d.oid = c.setdatabase
   LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.setrole,
   LATERAL unnest(c.setconfig) AS s(setting)) AS overrides,
  (SELECT coalesce(json_agg(json_build_object('user', usename, 'address', host(client_addr), 'version', version)), '[]')
   FROM (SELECT DISTINCT a.usename, a.client_addr, s.version
         FROM pg_catalog.pg_stat_ssl s JOIN pg_catalog.pg_stat_activity a USING (pid)
         WHERE s.ssl AND a.backend_type = 'client backend' AND a.application_name <> 'pgmigrate') old) AS tls,
  (SELECT coalesce(json_agg(json_build_object('member', m.rolname, 'role', r.rolname)), '[]')
   FROM pg_catalog.pg_auth_members a
   JOIN pg_catalog.pg_roles m ON m.oid = a.member JOIN pg_catalog.pg_roles r ON r.oid = a.roleid) AS memberships,
  (SELECT coalesce(json_agg(json_build_object('name', subname, 'enabled', subenabled)), '[]')
   FROM pg_catalog.pg_subscription) AS subscriptions,
  pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS wal_position,
  extract(epoch FROM clock_timestamp())::float8 AS clock
