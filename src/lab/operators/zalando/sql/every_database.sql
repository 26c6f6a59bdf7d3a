-- What Spilo's post_init leaves in every database and in template1, as far as a plain PostgreSQL has the extensions for it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public;
CREATE SCHEMA IF NOT EXISTS user_management AUTHORIZATION postgres;
CREATE OR REPLACE FUNCTION user_management.random_password(length integer) RETURNS text
  LANGUAGE sql SET search_path TO 'pg_catalog' AS
  $$ SELECT substr(string_agg(md5(random()::text), ''), 1, length) FROM generate_series(1, length / 32 + 1) $$;
CREATE OR REPLACE FUNCTION user_management.create_application_user(username text) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path TO 'pg_catalog' AS $$
DECLARE password text := user_management.random_password(20);
BEGIN
  EXECUTE format('CREATE USER %I WITH PASSWORD %L', username, password);
  RETURN password;
END $$;
CREATE OR REPLACE FUNCTION user_management.terminate_backend(pid integer) RETURNS boolean
  LANGUAGE sql SECURITY DEFINER SET search_path TO 'pg_catalog' AS $$ SELECT pg_terminate_backend(pid) $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA user_management FROM PUBLIC;
GRANT USAGE ON SCHEMA user_management TO admin;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA user_management TO admin;

CREATE SCHEMA IF NOT EXISTS metric_helpers AUTHORIZATION postgres;
CREATE OR REPLACE FUNCTION metric_helpers.pg_stat_statements(showtext boolean) RETURNS SETOF public.pg_stat_statements
  LANGUAGE sql STRICT SECURITY DEFINER AS $$ SELECT * FROM public.pg_stat_statements(showtext) $$;
CREATE OR REPLACE VIEW metric_helpers.pg_stat_statements AS SELECT * FROM metric_helpers.pg_stat_statements(true);
CREATE OR REPLACE VIEW metric_helpers.nearly_exhausted_sequences AS
  SELECT schemaname, sequencename, last_value::numeric / max_value AS used
    FROM pg_sequences WHERE last_value::numeric / max_value > 0.8;
REVOKE ALL ON ALL TABLES IN SCHEMA metric_helpers FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA metric_helpers FROM PUBLIC;
GRANT USAGE ON SCHEMA metric_helpers TO admin, robot_zmon;
GRANT SELECT ON ALL TABLES IN SCHEMA metric_helpers TO admin, robot_zmon;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA metric_helpers TO admin, robot_zmon;

GRANT SELECT ON pg_catalog.pg_stat_activity TO admin;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO admin;
DO $$
DECLARE reset regprocedure;
BEGIN
  -- Its arguments differ between majors.
  FOR reset IN SELECT oid FROM pg_proc WHERE proname = 'pg_stat_statements_reset' LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO admin', reset);
  END LOOP;
END $$;
