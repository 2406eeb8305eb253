#!/usr/bin/env bash
# Tells the operator's story on a terminal: what people write, and what they get back. It ends with the
# sandbox still up, or with ONCE=1 it takes everything down. Each step that goes wrong ends it with an error.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${BIN:-target/debug}
dir=${DATABASE_SANDBOX_DIR:-$PWD/target/sandbox}
export DATABASE_SANDBOX_DIR=$dir
# Long enough to see progress, short enough to wait for.
delay=${AZURE_DELAY_SECONDS:-2}

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\033[1m' plain=$'\033[0m'; fi
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() { printf '\nThe story went wrong: %s\n' "$*" >&2; exit 1; }
# Shows a command as a user would type it.
show() {
  local word line=
  for word; do
    [[ $word =~ ^[[:alnum:]_./:=,@-]+$ ]] || word="'$word'"
    line+=" $word"
  done
  printf '$%s\n' "$line"
}
# Shows a command, and runs it.
run() { show "$@"; "$@"; }
# Runs a command that must be refused, and shows the refusal.
refused() {
  local code=$1 output
  shift
  show "$@"
  if output=$("$@" 2>&1); then fail "this was not refused: $*"; fi
  printf '%s\n' "$output"
  [[ $output == *"[$code]"* ]] || fail "the refusal does not say $code"
}
kubectl() { command "$kubectl" "$@"; }

# A sandbox that was up before the story stays up, and so does one that went wrong: there is something to look at.
cleanup() { "$bin/database-sandbox" down || true; }
if [[ -n ${ONCE:-} ]] && ! "$bin/database-sandbox" status >/dev/null 2>&1; then trap cleanup EXIT; fi

step "1. A real control plane, the real Azure Service Operator, and a stand-in for Azure"
started=$SECONDS
"$bin/database-sandbox" up --azure-delay-seconds "$delay"
echo "It is up after $((SECONDS - started)) seconds. The operator was installed by its own Helm chart, and runs with the"
echo "rights of its own ServiceAccounts."
kubectl=$("$bin/database-sandbox" tools 2>/dev/null | sed -n 's/^kubectl  *//p')
export KUBECONFIG=$dir/kubeconfig
# Nothing of what the user's own kubectl is set to, or remembers of other clusters.
export KUBERC=off KUBECACHEDIR=$dir/kubectl-cache

# A story told twice on the same sandbox starts with namespaces of its own.
n='' i=1
while kubectl get namespace "orders$n" >/dev/null 2>&1; do i=$((i + 1)) n=-$i; done
one=orders$n two=invoices$n three=reports$n
for namespace in "$one" "$two" "$three"; do kubectl create namespace "$namespace" >/dev/null; done

step "2. Three teams apply what they have in their repositories"
for pair in "$one version" "$two size" "$three defaults"; do
  read -r namespace example <<<"$pair"
  run cat "examples/$example.yaml"
  run kubectl -n "$namespace" apply -f "examples/$example.yaml"
  echo
done
run kubectl get databases --all-namespaces

step "3. Minutes later with Azure, seconds here, they are ready"
for namespace in "$one" "$two" "$three"; do
  run kubectl -n "$namespace" wait --for=condition=Ready database/my-app-db --timeout=120s
done
run kubectl get databases --all-namespaces

step "4. What the app gets: a Secret, and a ServiceAccount that logs in without a password"
run kubectl -n "$one" get secret my-app-db-db-credentials -o go-template='{{range $key, $value := .data}}{{if ne $key "ca.crt"}}{{printf "%-10s %s" $key ($value | base64decode)}}{{"\n"}}{{end}}{{end}}'
run kubectl -n "$one" get serviceaccount my-app-db -o jsonpath='{.metadata.annotations}{"\n"}'

# The app of this team, as its pod runs: with what is in its Secret, and the token of its ServiceAccount.
pod=$(mktemp) && rm "$pod"
app() { run "$bin/database-sandbox" app --namespace "$two" --database my-app-db "$@"; }
keeps() { app --pod "$pod" "$@"; }
locked_out() {
  local output
  show "$bin/database-sandbox" app --namespace "$two" --database my-app-db "$@"
  if output=$("$bin/database-sandbox" app --namespace "$two" --database my-app-db "$@" 2>&1); then fail "this was not refused: $*"; fi
  printf '%s\n' "$output"
}

step "5. The app logs in to PostgreSQL, and owns what is in its database"
keeps 'SELECT session_user, current_user' 'CREATE TABLE drinks (name text)' \
  "INSERT INTO drinks VALUES ('coffee'), ('tea')" 'SELECT * FROM drinks'
echo
echo "The database itself belongs to the platform's group: no app drops it."
locked_out --pod "$pod" 'DROP DATABASE my_app_db'

step "6. What the platform has: a server in Azure, with the policy's region, tags and firewall"
run kubectl -n database-operator get flexibleservers,flexibleserversadministrators,flexibleserversfirewallrules,userassignedidentities -l "altinn.app/database-namespace=$one"

run kubectl -n database-operator get flexibleservers -l "altinn.app/database-namespace=$one" -o jsonpath='{.items[0].status.location}  {.items[0].status.tags}{"\n"}'

step "7. A size that the platform does not allow is refused when it is applied"
run cat examples/refused.yaml
refused DB101 kubectl -n "$one" apply -f examples/refused.yaml

step "8. Nobody's slip destroys data: a delete that does not say what becomes of it is refused"
refused DB201 kubectl -n "$two" delete database my-app-db --timeout=120s
echo
echo "With the word that it asks for the Database goes, and the server stays:"
run kubectl -n "$two" annotate database my-app-db altinn.app/retention=Retain
run kubectl -n "$two" delete database my-app-db --timeout=120s
run kubectl -n database-operator get flexibleservers -l "altinn.app/database-namespace=$two"
[[ -n $(kubectl -n database-operator get flexibleservers -l "altinn.app/database-namespace=$two" -o name) ]] ||
  fail "the server is gone"
echo
echo "The app's token would be good for an hour, and lets nobody in any more:"
record=$(kubectl -n database-operator get retaineddatabases -l "altinn.app/database-namespace=$two" -o name)
run kubectl -n database-operator wait --for=condition=AccessClosed "$record" --timeout=120s
locked_out --pod "$pod" 'SELECT * FROM drinks'

step "9. Applying the same manifest again finds the same server, with its data"
run kubectl -n "$two" apply -f examples/size.yaml
run kubectl -n "$two" wait --for=condition=Ready database/my-app-db --timeout=120s
run kubectl -n "$two" get database my-app-db
app 'SELECT * FROM drinks' | tee "$pod"
grep -q coffee "$pod" || fail "the rows are gone"
rm -f "$pod"

if [[ -n ${ONCE:-} ]]; then
  step "That was the story"
else
  step "That was the story; the sandbox stays up"
  cat <<EOF
  export KUBECONFIG=$KUBECONFIG
  alias kubectl=$kubectl

Try next:
  kubectl explain database.spec
  kubectl get databases -A -o wide
  kubectl -n $one edit database my-app-db
  kubectl -n database-operator edit configmap database-policy
  kubectl -n $one get events
  $bin/database-sandbox app --namespace $two --database my-app-db 'SELECT version()'
  $bin/database-sandbox status

  make stop        takes it down
EOF
fi
