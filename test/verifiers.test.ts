import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { sha256Hex } from '#shared/ids.ts'
import { exportManifest, packed, packedEnd } from '../functions/tenant-events/domain/archive.ts'
import { temporaryFolder } from './support/temporary-folder.ts'
import { MEMORY_KEY, memoryPurge } from './tenant-events/memory-purge.ts'

const folder = temporaryFolder()
const KEYS = JSON.stringify({ keys: [{ ...MEMORY_KEY.jwk, kid: MEMORY_KEY.kid }] })

function run(script: string, ...args: string[]): { status: number | null; out: string; err: string } {
  const path = join(import.meta.dirname, `../docs/verify-${script}.mjs`)
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], { encoding: 'utf8' })
  return { status, out: stdout, err: stderr }
}

let files = 0
function file(bytes: string | Uint8Array): string {
  files += 1
  const path = join(folder, `${files}`)
  writeFileSync(path, bytes)
  return path
}

async function anArchive(): Promise<Buffer> {
  const { signer } = memoryPurge({ operations: new Map(), audit: [] })
  const [path, bytes] = ['auth/users-00001.ndjson', Buffer.from('{"userId":"usr_1"}\n'.repeat(200), 'utf8')]
  const members = [{ path, sha256: sha256Hex(bytes), bytes: bytes.length, rows: 200 }]
  const about = { tenantId: 'acme', operationId: 'op_1', scope: 'all', orderedAtMs: 0, members }
  const manifest = Buffer.from(exportManifest(about), 'utf8')
  const signature = Buffer.from(JSON.stringify(await signer.sign(manifest)), 'utf8')
  const beside = [
    { path: 'README.txt', bytes: Buffer.from('read me', 'utf8') },
    { path: 'keys.json', bytes: Buffer.from(KEYS, 'utf8') },
    { path: 'manifest.json', bytes: manifest },
    { path: 'signature.json', bytes: signature },
  ]
  return Buffer.concat([
    packed([{ path, bytes }], 'energent-acme', 0),
    packed(beside, 'energent-acme', 0),
    packedEnd(),
  ])
}

/** One sentence for whoever reads it, not the inside of a script. */
function expectRefused({ status, out, err }: ReturnType<typeof run>): void {
  expect(status).toBe(1)
  expect(out).toBe('')
  expect(err).toMatch(/^[A-Z].* cannot be checked: [^\n]+\.\n$/)
}

describe.each(['line', 'certificate', 'export'])('verify-%s', (script) => {
  test('says how it is used when it is given nothing', () => {
    const { status, out, err } = run(script)
    expect([status, out]).toEqual([1, ''])
    expect(err).toMatch(new RegExp(`^Usage: node verify-${script}\\.mjs \\S+.*\\n$`))
  })

  test.each([
    ['a missing file', () => join(folder, 'none')],
    ['a folder', () => folder],
    ['an empty file', () => file('')],
    ['garbage', () => file(Buffer.from([0, 255, 31, 139, 8, 1, 2]))],
    ['JSON of another kind', () => file('{"type":"about:blank","status":404}')],
    ['null', () => file('null')],
    ['a list', () => file('[]')],
    ['zipped garbage', () => file(gzipSync(Buffer.alloc(5_000, 'garbage')))],
    ['zipped nothing', () => file(gzipSync(Buffer.alloc(0)))],
  ])('says in a sentence that %s cannot be checked', (_what, path) => {
    expectRefused(run(script, path(), file(KEYS)))
  })
})

test('verify-line says in a sentence that numbers without sense cannot be checked', () => {
  const line = { evidence: { root: '' }, amount: { amount: '1', minor: '1' }, exact: { n: '1', d: '0' } }
  const proof = { event: { source: 's', id: 'i' }, levels: [] }
  expectRefused(run('line', file(JSON.stringify({ line, merkle: {}, proof }))))
})

test('a certificate without keys, or with keys that are none, cannot be checked', () => {
  const certificate = file('{}')
  expect(run('certificate', certificate).err).toMatch(/^Usage: /)
  expectRefused(run('certificate', certificate, file('{"keys":7}')))
  expectRefused(run('certificate', certificate, join(folder, 'none')))
})

test('a whole archive says whose key it was checked with, and what is no part of the proof', async () => {
  const archive = file(await anArchive())

  const alone = run('export', archive)
  expect(alone).toMatchObject({ status: 0, err: '' })
  expect(alone.out).toContain('signed: true, whole: true, 1 files of acme')
  expect(alone.out).toContain("by the archive's own key")
  expect(alone.out).toContain('README.txt is not part of the proof')

  const known = run('export', archive, file(KEYS))
  expect(known.status).toBe(0)
  expect(known.out).not.toContain("by the archive's own key")
  expectRefused(run('export', archive, file('no keys')))
})

test('an archive cut off anywhere is not whole, and never ends in a stack trace', async () => {
  const archive = await anArchive()
  const tar = gunzipSync(archive)
  for (let part = 1; part < 12; part += 1) {
    const at = (bytes: Buffer) => bytes.subarray(0, Math.floor((bytes.length * part) / 12))
    expectRefused(run('export', file(at(archive))))
    const { status, err } = run('export', file(gzipSync(at(tar))))
    expect(err).not.toMatch(/\n {4}at /)
    // What is missing at the end may be no more than the empty blocks there.
    if (at(tar).length < tar.length - 1024) expect(status).toBe(1)
  }
}, 30_000)

test('an archive is not whole when a file of it stands behind its end, where tar does not look', async () => {
  const tar = gunzipSync(await anArchive())
  expect(run('export', file(gzipSync(Buffer.concat([Buffer.alloc(1024), tar])))).status).toBe(1)
})

// Headers are not signed: what unpacks under another name or as a link is not what was checked.
test.each([
  ['a link', 156, '2'],
  ['a header for the next file', 156, 'x'],
  ['in another folder by its prefix', 345, 'elsewhere'],
])('an archive is not whole when a file of it is %s', async (_what, at, text) => {
  const tar = Buffer.from(gunzipSync(await anArchive()))
  tar.write(text, at)
  expect(run('export', file(gzipSync(tar))).status).toBe(1)
})
