#!/usr/bin/env bash
# Asks a real Azure what no stand-in can know, and prints each answer beside what the operator relies on. It takes half an hour,
# costs less than a dollar, and deletes its resource group at the end.
#
# You need az (logged in, with the right to make a resource group and to change one group of Entra) and psql 16 or newer.
#   GROUP_NAME=db-operators-try GROUP_ID=<its object id> docs/try-on-azure.sh
# You must be a member of the group: its members administer the server, as the operator's identity does.
set -euo pipefail

: "${GROUP_NAME:?the display name of a group in Entra that you are a member of}"
: "${GROUP_ID:?the object id of that group}"
location=${LOCATION:-norwayeast}
name=database-operator-try-$RANDOM$RANDOM
host=$name.postgres.database.azure.com

say() { printf '\n== %s\n' "$*"; }
# What was asked, what the operator relies on, and what Azure said.
answer() { printf '%-62s expected: %-9s Azure: %s\n' "$1" "$2" "$3"; }
cleanup() { az group delete --name "$name" --yes --no-wait || true; }
trap cleanup EXIT

say "a server, $name in $location, with the group as its administrator"
az group create --name "$name" --location "$location" --output none
az postgres flexible-server create --resource-group "$name" --name "$name" --location "$location" --version 17 \
  --tier Burstable --sku-name Standard_B1ms --storage-size 32 --microsoft-entra-auth Enabled --password-auth Disabled \
  --public-access "$(curl --silent --show-error https://api.ipify.org)" --yes --output none
administrator=(az postgres flexible-server microsoft-entra-admin create --resource-group "$name" --server-name "$name"
  --object-id "$GROUP_ID" --display-name "$GROUP_NAME" --type Group --output none)
"${administrator[@]}"
az identity create --resource-group "$name" --name app --output none
app=$(az identity show --resource-group "$name" --name app --query principalId --output tsv)

PGPASSWORD=$(az account get-access-token --resource-type oss-rdbms --query accessToken --output tsv)
export PGPASSWORD PGHOST=$host PGUSER=$GROUP_NAME PGSSLMODE=verify-full PGSSLROOTCERT=system PGCONNECT_TIMEOUT=20
# One value, or PostgreSQL's refusal on one line.
sql() {
  local database=$1
  shift
  psql --no-psqlrc --tuples-only --no-align --quiet --dbname "$database" --command "$*" 2>&1 | tr '\n' ' ' | cut -c1-120
}
# `yes`, or why not.
works() {
  local said
  if said=$(psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname "$1" --command "$2" 2>&1); then
    # GRANT and REVOKE that have no effect only warn.
    if [[ $said == *WARNING* ]]; then echo "no: $said"; else echo yes; fi
  else
    echo "no: ${said//$'\n'/ }"
  fi
}

say "what a member of the group may do"
answer "a member of the group logs in by the group's name" yes "$(works postgres 'SELECT 1')"
answer "CREATE DATABASE by SQL" yes "$(works postgres 'CREATE DATABASE orders')"
answer "the database belongs to the group's role" t \
  "$(sql postgres "SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = 'orders'")"
listed=$(az postgres flexible-server db list --resource-group "$name" --server-name "$name" --query "[?name=='orders'] | length(@)")
answer "Azure's API lists a database that was made by SQL" 1 "$listed"
answer "CREATE ROLE" yes "$(works postgres 'CREATE ROLE orders_owner NOLOGIN')"
answer "a membership that may be taken on, and isn't inherited" yes \
  "$(works postgres 'GRANT orders_owner TO CURRENT_USER WITH INHERIT FALSE, SET TRUE')"
answer "a principal of an identity" yes \
  "$(works postgres "SELECT pgaadauth_create_principal_with_oid('orders_app', '$app', 'service', false, false)")"
answer "the maker of a principal may grant it on (ADMIN OPTION)" t \
  "$(sql postgres "SELECT bool_or(admin_option) FROM pg_auth_members WHERE roleid = 'orders_app'::regrole")"
answer "GRANT to the principal" yes "$(works postgres 'GRANT orders_owner TO orders_app')"
answer "a comment on the principal" yes "$(works postgres "COMMENT ON ROLE orders_app IS 'database-operator: orders'")"
answer "ALTER ROLE … IN DATABASE … SET role" yes \
  "$(works postgres "ALTER ROLE orders_app IN DATABASE orders SET role = 'orders_owner'")"
answer "GRANT pg_monitor" yes "$(works postgres 'GRANT pg_monitor TO orders_app')"
answer "pg_terminate_backend of another role's session is allowed" t \
  "$(sql postgres "SELECT pg_has_role('pg_signal_backend', 'MEMBER')")"
answer "the schema public belongs to azure_pg_admin" azure_pg_admin \
  "$(sql orders "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'public'")"
answer "GRANT CREATE ON SCHEMA public" yes "$(works orders 'GRANT USAGE, CREATE ON SCHEMA public TO orders_owner')"

say "what would be useful, and nothing relies on"
answer "ALTER SCHEMA public OWNER" "?" "$(works orders 'ALTER SCHEMA public OWNER TO orders_owner')"
answer "GRANT pg_use_reserved_connections" "?" "$(works postgres 'GRANT pg_use_reserved_connections TO CURRENT_USER')"
answer "VALID UNTIL on a principal" "?" "$(works postgres "ALTER ROLE orders_app VALID UNTIL '2000-01-01'")"

say "what ends access"
answer "NOLOGIN on a principal" yes "$(works postgres 'ALTER ROLE orders_app NOLOGIN')"
answer "DROP ROLE of a principal" yes "$(works postgres 'DROP ROLE orders_app')"
answer "its object id is free again" 0 \
  "$(sql postgres "SELECT count(*) FROM pgaadauth_list_principals(false) WHERE objectid = '$app'")"

say "a server whose app was its administrator"
other=(az postgres flexible-server microsoft-entra-admin)
"${other[@]}" create --resource-group "$name" --server-name "$name" --object-id "$app" --display-name app \
  --type ServicePrincipal --output none
answer "an administrator may take on the role of another one" yes "$(works orders 'GRANT app TO CURRENT_USER')"
answer "and hand on what that one owns" yes "$(works orders 'REASSIGN OWNED BY app TO orders_owner')"
works orders 'REVOKE app FROM CURRENT_USER' >/dev/null
if "${other[@]}" delete --resource-group "$name" --server-name "$name" --object-id "$app" --yes; then said=yes; else said=no; fi
answer "Azure removes an administrator that owns nothing" yes "$said"
answer "its role is gone" 0 "$(sql postgres "SELECT count(*) FROM pg_roles WHERE rolname = 'app'")"

say "what Azure Service Operator does once an hour"
if "${administrator[@]}"; then said=yes; else said=no; fi
answer "the same administrator again changes nothing, and is accepted" yes "$said"
