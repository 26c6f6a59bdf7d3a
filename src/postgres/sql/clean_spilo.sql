SET lock_timeout = '5s';
DROP SCHEMA IF EXISTS metric_helpers CASCADE;
DROP SCHEMA IF EXISTS user_management CASCADE;
DROP SCHEMA IF EXISTS pooler CASCADE;
DROP SCHEMA IF EXISTS zmon_utils CASCADE;
DROP EXTENSION IF EXISTS pg_stat_kcache;
DROP EXTENSION IF EXISTS set_user;
DO $$ DECLARE reset regprocedure; BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'admin') THEN
    REVOKE ALL ON FUNCTION pg_catalog.pg_switch_wal() FROM admin;
    REVOKE ALL ON pg_catalog.pg_stat_activity FROM admin;
    FOR reset IN SELECT oid FROM pg_catalog.pg_proc WHERE proname = 'pg_stat_statements_reset' LOOP
      EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM admin', reset);
    END LOOP;
  END IF;
END $$;
