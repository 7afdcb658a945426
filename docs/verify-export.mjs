// Checks an export: node verify-export.mjs energent-acme.tar.gz [keys.json]
// keys.json: from GET /v1/evidence-keys; without it "signed" means by the archive's own key, which whoever
// made the archive chose. README.txt and keys.json of an archive are not signed.
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
let ended = false
let rest = Buffer.alloc(0)
let file

const [archive, keySet] = process.argv.slice(2)
if (archive === undefined) stop('Usage: node verify-export.mjs energent-acme.tar.gz [keys.json]')
try {
  await check()
} catch (error) {
  stop(`The archive cannot be checked: ${reasonOf(error)}.`)
}

/** A ustar header, then the file's bytes in whole blocks; nothing of a file is held but the small ones. */
function take(bytes) {
  rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
  for (;;) {
    if (file === undefined) {
      if (rest.length < BLOCK) return
      const header = rest.subarray(0, BLOCK)
      rest = rest.subarray(BLOCK)
      const path = header.toString('utf8', 0, 100).replace(/\0.*$/s, '')
      if (header.every((byte) => byte === 0)) {
        ended = true
        continue
      }
      // tar stops at the first empty block, and would not unpack what stands behind it.
      if (ended) strange = true
      // Nothing but plain files under their own names: of anything else, tar unpacks what was not checked.
      const plain =
        header.toString('latin1', 257, 262) === 'ustar' && '0\0'.includes(String.fromCharCode(header[156]))
      if (!plain || header[345] !== 0) strange = true
      const size = Number.parseInt(header.toString('latin1', 124, 135), 8)
      if (!Number.isSafeInteger(size) || size < 0) throw new TypeError('no size')
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

async function check() {
  const unzipped = createGunzip()
  createReadStream(archive)
    .on('error', (error) => unzipped.destroy(error))
    .pipe(unzipped)
  for await (const bytes of unzipped) take(bytes)
  const manifest = JSON.parse(kept['manifest.json'])
  const { kid, alg, value } = JSON.parse(kept['signature.json'])
  const { keys } = JSON.parse(keySet === undefined ? kept['keys.json'] : readFileSync(keySet))
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
  process.stdout.write(
    `signed: ${signed}, whole: ${whole}, ${found.size} files of ${String(manifest.tenantId).replace(/[^a-z0-9-]/g, '?')}\n`,
  )
  if (keySet === undefined) {
    process.stdout.write(
      "Signed by the archive's own key: give keys.json from GET /v1/evidence-keys to know whose it is.\n",
    )
  }
  process.stdout.write('README.txt is not part of the proof: nothing signs it.\n')
  process.exitCode = signed && whole ? 0 : 1
}

function reasonOf(error) {
  if (error.syscall !== undefined) return `a file cannot be read (${error.path ?? error.code})`
  if (String(error.code).startsWith('Z_')) return 'it is no .tar.gz, or not all of it'
  if (error instanceof SyntaxError) return 'a list in it, or keys.json, is missing or not JSON'
  return 'it is not an archive of ours, or keys.json has no keys'
}

/** Ends with one sentence; whoever checks an archive is not to read the inside of a script. */
function stop(text) {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}
