-- Roles that Spilo's post_init makes (zalando.md, 3).
DO $$
DECLARE wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['admin', 'cron_admin', 'zalandos', 'robot_zmon'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    END IF;
  END LOOP;
END $$;
ALTER ROLE admin CREATEDB NOLOGIN;
GRANT cron_admin TO admin;
