// Checks an export: node verify-export.mjs energent-acme.tar.gz [keys.json]
// keys.json: from GET /v1/evidence-keys; without it the archive is checked against the keys it brings itself.
import { createHash, createPublicKey, verify } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { createGunzip } from 'node:zlib'

const BLOCK = 512
// What stands beside the folders, without being listed in the manifest; nothing else may be there.
const BESIDE = ['README.txt', 'keys.json', 'manifest.json', 'signature.json']
const found = new Map()
const kept = {}
const names = new Set()
let strange = false
let rest = Buffer.alloc(0)
let file

/** A ustar header, then the file's bytes in whole blocks; nothing of a file is held but the small ones. */
function take(bytes) {
  rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
  for (;;) {
    if (file === undefined) {
      if (rest.length < BLOCK) return
      const header = rest.subarray(0, BLOCK)
      rest = rest.subarray(BLOCK)
      const path = header.toString('utf8', 0, 100).replace(/\0.*$/s, '')
      if (path === '') continue
      const size = Number.parseInt(header.toString('latin1', 124, 135), 8)
      // Of two files of one name nobody knows which is unpacked.
      if (names.has(path)) strange = true
      names.add(path)
      file = {
        name: path.slice(path.indexOf('/') + 1),
        size,
        left: size,
        hash: createHash('sha256'),
        small: [],
      }
    }
    const some = rest.subarray(0, file.left)
    file.hash.update(some)
    if (!file.name.includes('/')) file.small.push(some)
    file.left -= some.length
    rest = rest.subarray(some.length)
    if (file.left > 0) return
    const padding = (BLOCK - (file.size % BLOCK)) % BLOCK
    if (rest.length < padding) return
    rest = rest.subarray(padding)
    if (file.name.includes('/')) found.set(file.name, { sha256: file.hash.digest('hex'), bytes: file.size })
    else kept[file.name] = Buffer.concat(file.small)
    file = undefined
  }
}

for await (const bytes of createReadStream(process.argv[2]).pipe(createGunzip())) take(bytes)
const manifest = JSON.parse(kept['manifest.json'])
const { kid, alg, value } = JSON.parse(kept['signature.json'])
const { keys } = JSON.parse(process.argv[3] === undefined ? kept['keys.json'] : readFileSync(process.argv[3]))
const key = keys.find((one) => one.kid === kid)
const signed =
  key !== undefined &&
  alg === 'ES256' &&
  verify(
    'sha256',
    kept['manifest.json'],
    { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
    Buffer.from(value, 'base64url'),
  )
const folder = `energent-${manifest.tenantId}/`
const expected = new Set([...BESIDE, ...manifest.members.map(({ path }) => path)])
for (const name of names) {
  if (!name.startsWith(folder) || !expected.has(name.slice(folder.length))) strange = true
}
const whole =
  manifest.type === 'energent.export/1' &&
  !strange &&
  manifest.members.length === found.size &&
  manifest.members.every(({ path, sha256, bytes }) => {
    const one = found.get(path)
    return one !== undefined && one.sha256 === sha256 && one.bytes === bytes
  })
process.stdout.write(`signed: ${signed}, whole: ${whole}, ${found.size} files of ${manifest.tenantId}\n`)
process.exitCode = signed && whole ? 0 : 1
