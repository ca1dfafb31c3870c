#!/usr/bin/env bash
# Brings Azure's SDKs for Go and JavaScript, and the Node.js that the latter wants (Debian 12 has an older one),
# into a folder outside the repository, at the versions that testing/clients names. What is there already is left as it is.
#
#   clients.sh FOLDER
set -euo pipefail
folder=$1 here=$(cd "$(dirname "$0")/../testing/clients" && pwd)

mkdir -p "$folder/npm"
if ! cmp -s "$here/package.json" "$folder/npm/package.json" || [[ ! -d $folder/npm/node_modules ]]; then
  echo "installing Azure's SDK for JavaScript and its Node.js into $folder"
  cp "$here/package.json" "$folder/npm/package.json"
  (cd "$folder/npm" && npm install --no-package-lock --no-fund --no-audit --loglevel=error)
fi
echo "building the stories of Azure's SDK for Go"
(cd "$here/gosdk" && GOFLAGS=-mod=mod ${GO:-go} build -o "$folder/gosdk" .)
