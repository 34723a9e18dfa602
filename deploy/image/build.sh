#!/bin/sh
# build.sh SOURCE TARGET: installs and builds the package in SOURCE, which is changed by it, and puts into TARGET what runs: the
# compiled program and the packages that it needs, for this system alone.
set -eu
source=$1 target=$2

cd "$source"
npm ci --no-progress >&2 # builds too
npm prune --no-progress --omit=dev --ignore-scripts >&2

# ONNX Runtime's package carries every system's library: half a gigabyte.
runtime=node_modules/onnxruntime-node/bin/napi-v6
system=$(node -p 'process.platform + "/" + process.arch')
for folder in "$runtime"/*/*; do
  [ "$folder" = "$runtime/$system" ] || rm -rf "$folder"
done
find dist \( -name '*.test.js*' -o -name '*.fixture.js*' -o -name '*.child.js*' -o -name '*.contract.js*' \) -delete
rm -rf dist/integration-tests

mkdir -p "$target"
cp -R dist node_modules package.json LICENSE "$target/"
