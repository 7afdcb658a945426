// Checks a deletion certificate: node verify-certificate.mjs certificate.json keys.json
// certificate.json: the answer of GET /v1/tenants/{tenantId}/deletion-certificate
// keys.json: from your last export, or from GET /v1/evidence-keys while you still had your data
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'

const read = (at) => JSON.parse(readFileSync(process.argv[at], 'utf8'))
const [stored, { keys }] = [read(2), read(3)]
// RFC 8785: members sorted, nothing between them; the form that was signed is the only one that counts.
const canonical = (value) => {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const members = Object.keys(value).sort()
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`
}
const sha256 = (value) => createHash('sha256').update(canonical(value)).digest('hex')
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
    `${said.tenantId} was erased by ${said.issuedAt}, its key ${said.key.name} by ${said.key.destroyedAt}\n`,
)
process.exitCode = signed && sound && counted && shredded ? 0 : 1
