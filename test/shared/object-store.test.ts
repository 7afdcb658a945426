import { afterEach, beforeEach, expect, test } from 'vitest'
import { type StorageServer, startStorage } from '#local/storage/index.ts'
import { cloudObjectStore } from '#shared/object-store.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let server: StorageServer
beforeEach(async () => {
  server = await startStorage({ folder: temporaryFolder(), bucket: 'leaving' })
})
afterEach(() => server.close())

const tokens = { token: async () => 'any', forget: () => {} }
const store = () => cloudObjectStore({ apiUrl: server.url, bucket: 'leaving', tokens })
const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')

/** As somebody would who writes over what is there. */
async function overwrite(name: string, data: string): Promise<void> {
  const url = `${server.url}/upload/storage/v1/b/leaving/o?uploadType=media&name=${encodeURIComponent(name)}`
  expect((await fetch(url, { method: 'POST', body: data })).status).toBe(200)
}

async function keepOldVersions(): Promise<void> {
  const body = JSON.stringify({ versioning: { enabled: true } })
  const headers = { 'content-type': 'application/json' }
  const url = `${server.url}/storage/v1/b/leaving`
  expect((await fetch(url, { method: 'PATCH', headers, body })).status).toBe(200)
}

test('an object is written once: a second try changes nothing and is no failure', async () => {
  await store().put('exports/acme/a', Buffer.from('first'), 'text/plain')
  await store().put('exports/acme/a', Buffer.from('second'), 'text/plain')

  expect(text(await store().read('exports/acme/a'))).toBe('first')
  expect(await store().read('exports/acme/b')).toBeUndefined()
  expect(await store().find('exports/acme/b')).toBeUndefined()
  expect(await store().find('exports/acme/a')).toMatchObject({ bytes: 5, live: true })
})

test('objects are joined in order, once', async () => {
  const names = ['p/1', 'p/2', 'p/3']
  for (const name of names) await store().put(name, Buffer.from(name), 'text/plain')

  await store().compose('whole', names, 'application/gzip')
  await store().compose('whole', ['p/3'], 'application/gzip')

  expect(text(await store().read('whole'))).toBe('p/1p/2p/3')
  await expect(store().compose('other', ['p/1', 'missing'], 'text/plain')).rejects.toThrow(/404/)
  const many = Array.from({ length: 33 }, () => 'p/1')
  await expect(store().compose('other', many, 'text/plain')).rejects.toThrow(/400/)
})

test('old versions are listed page by page, and each goes for good', async () => {
  await keepOldVersions()
  for (let round = 0; round < 3; round += 1) await overwrite('exports/acme/a', `round ${round}`)
  await overwrite('exports/acme-two/a', 'of a neighbour whose id begins alike')

  const first = await store().listVersions('exports/acme/', undefined)
  expect(first.versions.map(({ live }) => live)).toEqual([false, false, true])
  for (const { name, generation } of first.versions) {
    await store().deleteVersion(name, generation)
    await store().deleteVersion(name, generation)
  }

  expect((await store().listVersions('exports/acme/', undefined)).versions).toEqual([])
  expect((await store().listVersions('exports/acme-two/', undefined)).versions).toHaveLength(1)
})

test('a bucket that is not there is a failure, not an empty one', async () => {
  const missing = cloudObjectStore({ apiUrl: server.url, bucket: 'none', tokens })

  await expect(missing.listVersions('exports/acme/', undefined)).rejects.toThrow(/404/)
})
