-- The two roles that Switchyard works with, made or brought up to date by the server's own superuser. Safe to repeat.
--
-- switchyard_owner owns the tables: migrations and restores run as it.
-- switchyard_app reads and writes rows: web, workers, scheduler and backups run as it. It can neither change a table nor
-- empty one, make one nor switch a trigger off, so the journal's triggers hold whatever the application is made to send.
--
-- Passwords come from the environment, which other users of the machine cannot see.

\set ON_ERROR_STOP on
\set owner_password ''
\set app_password ''
\getenv owner_password POSTGRES_OWNER_PASSWORD
\getenv app_password POSTGRES_APP_PASSWORD
SELECT :'owner_password' = '' OR :'app_password' = '' OR :'owner_password' = :'app_password' AS unusable \gset
\if :unusable
DO $$ BEGIN RAISE 'POSTGRES_OWNER_PASSWORD and POSTGRES_APP_PASSWORD must be set, and differ.'; END $$;
\endif

BEGIN;

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['switchyard_owner', 'switchyard_app']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE switchyard_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    PASSWORD :'owner_password';
ALTER ROLE switchyard_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    PASSWORD :'app_password';

-- What an older installation made as the superuser. Sequences of columns follow their tables.
SELECT format('ALTER DATABASE %I OWNER TO switchyard_owner', current_database()) \gexec
SELECT format('ALTER TABLE %s OWNER TO switchyard_owner', oid::regclass)
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
    AND relowner <> 'switchyard_owner'::regrole \gexec
SELECT format('ALTER FUNCTION %s OWNER TO switchyard_owner', oid::regprocedure)
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' AND proowner <> 'switchyard_owner'::regrole \gexec

REVOKE ALL ON SCHEMA public FROM PUBLIC;
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO switchyard_app', current_database()) \gexec
GRANT USAGE ON SCHEMA public TO switchyard_app;
GRANT ALL ON SCHEMA public TO switchyard_owner;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM switchyard_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO switchyard_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO switchyard_app;

-- By the server's own number a database knows whether it was copied elsewhere.
GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO switchyard_app, switchyard_owner;

-- What migrations and restores make from now on; a restore makes the schema itself, too.
ALTER DEFAULT PRIVILEGES FOR ROLE switchyard_owner GRANT USAGE ON SCHEMAS TO switchyard_app;
ALTER DEFAULT PRIVILEGES FOR ROLE switchyard_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO switchyard_app;
ALTER DEFAULT PRIVILEGES FOR ROLE switchyard_owner GRANT USAGE, SELECT ON SEQUENCES TO switchyard_app;

COMMIT;
