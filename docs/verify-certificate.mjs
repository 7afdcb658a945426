// Checks a deletion certificate: node verify-certificate.mjs certificate.json keys.json
// certificate.json: the answer of GET /v1/tenants/{tenantId}/deletion-certificate
// keys.json: from your last export, or from GET /v1/evidence-keys while you still had your data
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** Ends with one sentence; whoever checks a certificate is not to read the inside of a script. */
const stop = (text) => {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}
// RFC 8785: members sorted, nothing between them; the form that was signed is the only one that counts.
const canonical = (value) => {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const members = Object.keys(value).sort()
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`
}
const sha256 = (value) => createHash('sha256').update(canonical(value)).digest('hex')
// What nobody may have signed must not write a verdict of its own.
const shown = (text) => String(text).replace(/[^\w./:-]/g, '?')

const [certificate, keySet] = process.argv.slice(2)
if (keySet === undefined) stop('Usage: node verify-certificate.mjs certificate.json keys.json')
try {
  const [stored, { keys }] = [certificate, keySet].map((file) => JSON.parse(readFileSync(file, 'utf8')))
  check(stored, keys)
} catch (error) {
  const reason =
    error.syscall !== undefined
      ? `a file cannot be read (${error.path ?? error.code})`
      : error instanceof SyntaxError
        ? 'a file is not JSON'
        : 'the files are not a certificate and its keys'
  stop(`The certificate cannot be checked: ${reason}.`)
}

function check(stored, keys) {
  const said = JSON.parse(stored.certificate)
  const key = keys.find(({ kid }) => kid === stored.signature.kid)
  const signed =
    key !== undefined &&
    stored.signature.alg === 'ES256' &&
    verify(
      'sha256',
      Buffer.from(stored.certificate, 'utf8'),
      { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
      Buffer.from(stored.signature.value, 'base64url'),
    )
  const sound =
    said.type === 'energent.deletion-certificate/1' &&
    canonical(said) === stored.certificate &&
    said.certificateId === stored.certificateId &&
    said.tenantId === stored.tenantId
  const counted =
    said.erased.sha256 === sha256(said.erased.counts) &&
    said.steps.every(({ evidence, sha256: hash }) => hash === sha256(evidence))
  const shredded = said.key.state === 'DESTROYED'
  process.stdout.write(
    `signed: ${signed}, whole: ${sound}, counts: ${counted}, key destroyed: ${shredded}\n` +
      `${shown(said.tenantId)} was erased by ${shown(said.issuedAt)}, ` +
      `its key ${shown(said.key.name)} by ${shown(said.key.destroyedAt)}\n`,
  )
  process.exitCode = signed && sound && counted && shredded ? 0 : 1
}
