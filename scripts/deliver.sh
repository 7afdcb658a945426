#!/usr/bin/env bash
# Delivers one bundle to the functions made from it.
#
#   deliver.sh FOLDER FUNCTION...
#
# Needs ENV, REGION, PROJECT, SOURCE_BUCKET and REVISION. The archive is kept under its revision, so
# the way back is to deliver an earlier one again.
set -euo pipefail

folder=${1:?folder below dist/}
shift
: "${ENV:?}" "${REGION:?}" "${PROJECT:?}" "${SOURCE_BUCKET:?}" "${REVISION:?}"

if [ ! -f "dist/${folder}/index.js" ]; then
  echo "dist/${folder} is not built; run npm run build" >&2
  exit 1
fi

archive="/tmp/${folder}-${REVISION}.zip"
rm -f "${archive}"
# Fixed times and order: the same bundle is the same archive.
(cd "dist/${folder}" && find . -type f -exec touch -d '1980-01-01 00:00:00 UTC' {} + &&
  python3 - "${archive}" <<'PY'
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for name in sorted(os.listdir(".")):
        archive.write(name)
PY
)

object="gs://${SOURCE_BUCKET}/functions/${folder}/${REVISION}.zip"
gcloud storage cp "${archive}" "${object}" --project="${PROJECT}"

for name in "$@"; do
  gcloud functions deploy "${name}-${ENV}" \
    --gen2 \
    --project="${PROJECT}" \
    --region="${REGION}" \
    --source="${object}" \
    --quiet
done
