#!/bin/sh
# Sends one picture to /upload; the answer is JSON.
curl --fail-with-body --silent --show-error \
  --header "Authorization: ${FACESIEVE_TOKEN:-token}" \
  --form "image=@\"$1\"" \
  "${FACESIEVE_URL:-http://127.0.0.1:30025}/upload"
