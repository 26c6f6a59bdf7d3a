-- What Patroni's REST interface and its loop want to know of a running server, in one look.
SELECT json_build_object(
  'recovery', r.recovery,
  'timeline', CASE WHEN r.recovery
    THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))
    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
  'location', CASE WHEN r.recovery
    THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0') ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') END::bigint,
  'received', CASE WHEN r.recovery
    THEN pg_wal_lsn_diff(coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0') END::bigint,
  'replay_paused', CASE WHEN r.recovery THEN pg_is_wal_replay_paused() ELSE false END,
  'streaming', (SELECT status = 'streaming' FROM pg_stat_wal_receiver),
  'version', current_setting('server_version_num')::int,
  'pending_restart', (SELECT count(*) > 0 FROM pg_settings WHERE pending_restart),
  'started', pg_postmaster_start_time(),
  'system_identifier', (SELECT system_identifier FROM pg_control_system())::text,
  'slots', (SELECT coalesce(json_object_agg(slot_name, pg_wal_lsn_diff(coalesce(confirmed_flush_lsn, restart_lsn), '0/0')::bigint)
    FILTER (WHERE restart_lsn IS NOT NULL), '{}') FROM pg_replication_slots WHERE NOT temporary),
  'replication', (SELECT coalesce(json_agg(json_build_object('usename', usename, 'application_name', application_name,
    'client_addr', client_addr, 'state', state, 'sync_state', sync_state, 'sync_priority', sync_priority)), '[]')
    FROM pg_stat_replication))
FROM (SELECT pg_is_in_recovery() AS recovery) r
