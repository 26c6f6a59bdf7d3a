SELECT current_setting('server_version_num')::int AS version_num, current_setting('wal_level') AS wal_level,
       current_setting('data_checksums') = 'on' AS data_checksums,
       current_setting('max_connections')::int AS max_connections,
       current_setting('password_encryption') AS password_encryption,
       current_setting('archive_mode') <> 'off' AS archiving,
       (SELECT count(*)::int FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') AS connections
