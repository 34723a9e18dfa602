# shellcheck shell=bash
# Sourced by up: a certificate authority of this start alone, and the certificate that it gives the servers on loopback.

# make_certificates FOLDER: makes ca.crt, server.crt, server.key and server.pem (key and certificate, as Kafka reads them).
make_certificates() {
  local new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes) days=365
  mkdir -- "$1"
  {
    openssl req -x509 "${new_key[@]}" -keyout "$1/ca.key" -out "$1/ca.crt" -days "$days" -subj "/CN=radhical local authority" \
      -addext keyUsage=critical,keyCertSign
    openssl req -x509 -CA "$1/ca.crt" -CAkey "$1/ca.key" "${new_key[@]}" -keyout "$1/server.key" -out "$1/server.crt" \
      -days "$days" -subj "/CN=localhost" -addext basicConstraints=critical,CA:FALSE \
      -addext subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:*.s3.localhost
  } 2>"$1/log" || die "Cannot make certificates: $(<"$1/log")"
  cat -- "$1/server.key" "$1/server.crt" >"$1/server.pem"
  rm -- "$1/ca.key" # nobody signs another with it
}
