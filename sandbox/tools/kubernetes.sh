#!/usr/bin/env bash
# Builds the control plane of another version of Kubernetes than the sandbox's own, and prints the folder with its programs, for
# the variable KUBEBUILDER_ASSETS. It takes a quarter of an hour once, and then nothing.
#   sandbox/tools/kubernetes.sh 1.35.4
set -euo pipefail

version=${1:?write a version of Kubernetes, as 1.35.4}
[[ $version =~ ^1\.([0-9]+)\.([0-9]+)$ ]] || { echo "$version is no version of Kubernetes: write one as 1.35.4" >&2; exit 1; }
minor=${BASH_REMATCH[1]} patch=${BASH_REMATCH[2]}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
assets=${XDG_CACHE_HOME:-$HOME/.cache}/database-operator/kubernetes/$version
if [ ! -x "$assets/kubectl" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  {
    echo "module assets"
    sed -n 's/^go /go /p' "$here/go.mod"
    # Kubernetes' own modules, which are released together.
    sed -nE "s/^\t(k8s.io\/[a-z-]+) => .*/replace \1 => \1 v0.$minor.$patch/p" "$here/go.mod"
  } >"$work/go.mod"
  cd "$work"
  packages=(k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kubectl})
  go get "${packages[@]/%/@v$version}" >&2
  flags=
  for variable in "gitVersion=v$version" gitMajor=1 "gitMinor=$minor"; do
    flags+=" -X k8s.io/component-base/version.$variable"
  done
  mkdir -p "$work/assets"
  go build -mod=mod -trimpath -ldflags="-s -w $flags" -o "$work/assets/" "${packages[@]}" >&2
  mkdir -p "$(dirname "$assets")"
  rm -rf "$assets"
  mv "$work/assets" "$assets"
fi
echo "$assets"
