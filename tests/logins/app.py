"""An app: trades its ServiceAccount's token where it has no password, logs in by the Secret's own URI as it stands, and
runs each line of its standard input. It prints one line of JSON for each: rows, or the error."""

import json
import os
import sys

import psycopg
import requests


def token():
    answer = requests.post(
        f"{os.environ['AZURE_AUTHORITY_HOST']}/{os.environ['AZURE_TENANT_ID']}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": os.environ["AZURE_CLIENT_ID"],
            "scope": "https://ossrdbms-aad.database.windows.net/.default",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": os.environ["ASSERTION"],
        },
        timeout=30,
    ).json()
    if "access_token" not in answer:
        sys.exit(answer["error_description"])
    return answer["access_token"]


def run(connection, statement):
    try:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else cursor.statusmessage
    except psycopg.Error as error:
        return {"error": str(error).splitlines()[0], "state": error.sqlstate}


if "ASSERTION" in os.environ and "PGPASSWORD" not in os.environ:
    os.environ["PGPASSWORD"] = token()
if "ONLY_TOKEN" in os.environ:
    print(os.environ["PGPASSWORD"])
    sys.exit()
def connect():
    return psycopg.connect(os.environ["URI"], autocommit=True, connect_timeout=10)


try:
    for _ in range(1, int(os.environ.get("LOGINS", "1"))):
        connect().close()
    with connect() as connection:
        print("in", flush=True)
        for line in sys.stdin:
            print(json.dumps(run(connection, line), default=str), flush=True)
except psycopg.OperationalError as error:
    sys.exit(str(error))
