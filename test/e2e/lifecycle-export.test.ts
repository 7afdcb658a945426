import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { eventually, startTestStack, type TestStack } from './test-stack.ts'

let stack: TestStack
let operator = ''
beforeAll(async () => {
  stack = await startTestStack()
  operator = await stack.api().token(stack.info().operator)
}, 60_000)
afterAll(() => stack.close())

const call = (method: string, path: string, json?: object) =>
  stack.api().call(method, path, { token: operator, ...(json === undefined ? {} : { json }) })

async function exported(tenantId: string, scope: string): Promise<Buffer> {
  const ordered = await call('POST', `/v1/tenants/${tenantId}/export`, { scope })
  expect([ordered.status, ordered.body['code']]).toEqual([202, undefined])
  const at = String(ordered.headers.get('location'))
  await eventually(
    'the archive is there',
    async () => {
      const { body } = await call('GET', at)
      if (body['status'] === 'failed') throw new Error(JSON.stringify(body))
      return body['status'] === 'succeeded' ? true : undefined
    },
    40_000,
  )
  const names = await objectsOf(tenantId)
  const archive = names.filter((name) => name.endsWith('.tar.gz')).at(-1) ?? ''
  const url = `${stack.info().storage.url}/storage/v1/b/energent-exports/o/${encodeURIComponent(archive)}?alt=media`
  return Buffer.from(await (await fetch(url)).arrayBuffer())
}

async function objectsOf(tenantId: string): Promise<string[]> {
  const url = `${stack.info().storage.url}/storage/v1/b/energent-exports/o?versions=true&prefix=exports/${tenantId}/`
  const { items = [] } = (await (await fetch(url)).json()) as { items?: { name: string }[] }
  return items.map(({ name }) => name)
}

/** As a customer would, offline: with nothing but the archive. */
function verified(archive: Buffer): { status: number | null; said: string } {
  const file = join(temporaryFolder(), 'export.tar.gz')
  writeFileSync(file, archive)
  const script = join(import.meta.dirname, '../../docs/verify-export.mjs')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, file], { encoding: 'utf8' })
  return { status, said: `${stdout}${stderr}` }
}

test('a tenant’s data leaves as one archive that unpacks anywhere and verifies offline', async () => {
  const archive = await exported('acme', 'all')

  expect(verified(archive)).toMatchObject({
    status: 0,
    said: expect.stringContaining('signed: true, whole: true'),
  })
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'a.tar.gz'), archive)
  const untarred = spawnSync('tar', ['-xzf', 'a.tar.gz'], { cwd: folder, encoding: 'utf8' })
  expect([untarred.status, untarred.stderr]).toEqual([0, ''])
  const read = (path: string): string => readFileSync(join(folder, 'energent-acme', path), 'utf8')
  const paths = (JSON.parse(read('manifest.json')) as { members: { path: string }[] }).members.map(
    ({ path }) => path,
  )
  expect(paths).toEqual(
    expect.arrayContaining([
      'auth/clients-00001.ndjson',
      'auth/audit-00001.ndjson',
      'billing/subscriptions-00001.ndjson',
      'lifecycle/tenant-00001.ndjson',
      'lifecycle/operations-00001.ndjson',
      'lifecycle/audit-00001.ndjson',
    ]),
  )
  expect(read('auth/clients-00001.ndjson')).toContain('"clientId"')
  const all = gunzipSync(archive).toString('latin1')
  // Nothing that opens anything, and nothing of anybody else's.
  const secrets = ['"secrets"', '"hmac"', '"salt"', 'Sealed"']
  const people = paths.filter((path) => path.startsWith('auth/')).map(read)
  expect(secrets.filter((secret) => people.join('').includes(secret))).toEqual([])
  expect(all.includes('"tenantId":"globex"')).toBe(false)
  // The parts it was made of are gone.
  expect(await objectsOf('acme')).toHaveLength(1)
  const damaged = Buffer.from(gunzipSync(archive))
  damaged.write('X', damaged.indexOf('"clientId"') + 1)
  expect(verified(gzipSync(damaged)).status).toBe(1)
  // A file that nobody signed for, or one of a name that is there already.
  for (const name of ['energent-acme/read-me-first.html', 'elsewhere/auth/clients-00001.ndjson', undefined]) {
    expect(verified(gzipSync(withOneMore(gunzipSync(archive), name))).status).toBe(1)
  }
}, 90_000)

/** The archive with its first file once more in front, under another name if one is given. */
function withOneMore(tar: Buffer, name: string | undefined): Buffer {
  const size = Number.parseInt(tar.toString('latin1', 124, 135), 8)
  const first = Buffer.from(tar.subarray(0, 512 + Math.ceil(size / 512) * 512))
  if (name !== undefined) first.fill(0, 0, 100).write(name)
  return Buffer.concat([first, tar])
}
