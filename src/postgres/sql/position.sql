SELECT current_database() AS database, current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text, pg_is_in_recovery() AS standby,
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text AS lsn
