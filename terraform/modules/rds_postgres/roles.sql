-- A service's database and roles. Terraform stands outside the network and cannot reach the server, so
-- `make roles` sends this through a pod that can, once for each service and again after a rotation:
-- every statement may be repeated.
-- Variables of psql: service, migration_password, a_password, b_password; a password that is empty
-- leaves the one that is there.
--
--   <service>_owner      owns everything, signs in never
--   <service>_migration  signs in as the owner: the migration alone knows its password
--   <service>_app        reads and writes rows, makes and drops nothing, signs in never
--   <service>_a, _b      sign in as the app; two, so that blue's password lives until green serves
\set ON_ERROR_STOP on
\connect postgres
SET client_min_messages = warning;
\set owner :service _owner
\set migration :service _migration
\set app :service _app
\set a :service _a
\set b :service _b

SELECT format('CREATE ROLE %I NOLOGIN', name)
  FROM unnest(ARRAY[:'owner', :'app']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
SELECT format('CREATE ROLE %I LOGIN', name)
  FROM unnest(ARRAY[:'migration', :'a', :'b']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

SELECT format('ALTER ROLE %I PASSWORD %L', name, password)
  FROM (VALUES (:'migration', :'migration_password'), (:'a', :'a_password'), (:'b', :'b_password'))
       AS login (name, password)
 WHERE password <> '' \gexec

-- The master is no superuser: to hand something over it must be of those that take it.
GRANT :"owner" TO CURRENT_USER;
GRANT :"owner" TO :"migration";
GRANT :"app" TO :"a", :"b";
ALTER ROLE :"migration" SET role = :'owner';

SELECT format('CREATE DATABASE %I OWNER %I', :'service', :'owner')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'service') \gexec
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"app", :"migration";

\connect :service
SET client_min_messages = warning;
SET ROLE :"owner";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"app";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"app";
GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO :"app";
-- What a later migration makes, the app may use without being told again.
ALTER DEFAULT PRIVILEGES IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"app";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO :"app";
RESET ROLE;
