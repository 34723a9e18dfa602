#!/bin/sh
# cuda.sh TARGET: puts ONNX Runtime's CUDA library and all that it loads of CUDA 13 and cuDNN 9 into TARGET/lib, and the licences
# beside them. From PyPI's wheels, each known by its SHA-256 in cuda-requirements.txt. Installs pip and unzip where they are
# missing. The driver is the host's.
set -eu
target=$1
here=$(cd "$(dirname "$0")" && pwd)

[ "$(uname -m)" = x86_64 ] || {
  echo "cuda.sh: Cannot get CUDA for \"$(uname -m)\": its wheels are for x86_64; build without CUDA" >&2
  exit 1
}
if ! command -v unzip >/dev/null || ! python3 -m pip --version >/dev/null 2>&1; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq --yes --no-install-recommends ca-certificates python3-pip unzip >/dev/null
fi
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 \
  --require-hashes --requirement "$here/cuda-requirements.txt" --dest "$wheels"
mkdir -p "$target/lib" "$target/licences"
for wheel in "$wheels"/*.whl; do
  name=$(basename "$wheel")
  name=${name%%-*}
  case $name in
    onnxruntime_gpu) wanted='onnxruntime/capi/libonnxruntime_providers_shared.so onnxruntime/capi/libonnxruntime_providers_cuda.so' ;;
    *) wanted='nvidia/*/lib/*.so*' ;;
  esac
  # shellcheck disable=SC2086 # two names, or a pattern for unzip
  unzip -qoj "$wheel" $wanted -d "$target/lib"
  unzip -qoj "$wheel" '*LICENSE*' -d "$target/licences/$name" 2>/dev/null || true
  rm "$wheel"
done
