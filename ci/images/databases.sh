#!/bin/sh
# Runs once, when PostgreSQL's volume is new: a database for each service that only its owner enters.
set -eu
for service in registration ticket order payment waitingroom; do
	variable="$(echo "$service" | tr '[:lower:]' '[:upper:]')_DATABASE_PASSWORD"
	password="$(printenv "$variable")"
	psql --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" \
		--set=service="$service" --set=password="$password" <<-'SQL'
		CREATE ROLE :"service" LOGIN PASSWORD :'password';
		CREATE DATABASE :"service" OWNER :"service";
		REVOKE CONNECT, TEMPORARY ON DATABASE :"service" FROM PUBLIC;
	SQL
done
