SELECT name, setting FROM pg_catalog.pg_settings
WHERE name IN ('max_connections', 'max_wal_senders', 'max_worker_processes', 'max_prepared_transactions', 'max_locks_per_transaction')
