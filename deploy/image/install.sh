#!/bin/sh
# install.sh HOME [CUDA]: makes the program in HOME the command `radhical`, with the CUDA libraries of the folder CUDA where there are any.
set -eu
home=$1 cuda=${2:-}

ln -sf "$home/dist/services/cli/main.js" /usr/local/bin/radhical
[ -n "$cuda" ] && [ -d "$cuda/lib" ] || exit 0
# ONNX Runtime looks beside itself for its providers; what those load is found by the system's loader.
for name in shared cuda; do
  ln -sf "$cuda/lib/libonnxruntime_providers_$name.so" "$home/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/"
done
echo "$cuda/lib" >/etc/ld.so.conf.d/radhical-cuda.conf
ldconfig
