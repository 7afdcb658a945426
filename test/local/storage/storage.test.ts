import { afterEach, beforeEach, expect, test } from 'vitest'
import { type StorageServer, startStorage } from '#local/storage/index.ts'
import { manualClock } from '#shared/clock.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const clock = manualClock(Date.UTC(2026, 0, 1))
let folder: string
let server: StorageServer

beforeEach(async () => {
  folder = temporaryFolder()
  server = await startStorage({ folder, now: clock.now })
  await call('POST', '/storage/v1/b?project=demo-x', { name: 'invoices' })
})
afterEach(() => server.close())

type Answer = { status: number; body: Record<string, unknown> & { items?: Record<string, unknown>[] } }

async function call(method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Answer['body']) }
}

async function put(name: string, data: string | Buffer, query = ''): Promise<Answer> {
  const path = `/upload/storage/v1/b/invoices/o?uploadType=media&name=${encodeURIComponent(name)}${query}`
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    body: typeof data === 'string' ? data : new Uint8Array(data),
    headers: { 'content-type': 'text/plain' },
  })
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}

const objectPath = (name: string): string => `/storage/v1/b/invoices/o/${encodeURIComponent(name)}`
const download = async (name: string, query = ''): Promise<Response> =>
  fetch(`${server.url}${objectPath(name)}?alt=media${query}`)

test('what is uploaded is downloaded byte by byte, with its checksums', async () => {
  const data = Buffer.from([0, 13, 10, 255, 45, 45])
  const { body } = await put('a/b c.bin', data)
  expect(body).toMatchObject({ name: 'a/b c.bin', size: '6', bucket: 'invoices', contentType: 'text/plain' })
  const response = await download('a/b c.bin')
  expect(Buffer.from(await response.arrayBuffer())).toEqual(data)
  expect(response.headers.get('x-goog-hash')).toBe(`crc32c=${body['crc32c']},md5=${body['md5Hash']}`)
})

test('a multipart upload sets metadata, and its bytes may look like a boundary', async () => {
  const data = 'line\r\n--nearly\r\n--XX is not at the end'
  const parts = [
    '--XYZ\r\ncontent-type: application/json\r\n\r\n',
    JSON.stringify({ name: 'doc', contentType: 'text/csv', metadata: { tenant: 'acme' } }),
    '\r\n--XYZ\r\ncontent-type: text/plain\r\n\r\n',
    data,
    '\r\n--XYZ--',
  ]
  const response = await fetch(`${server.url}/upload/storage/v1/b/invoices/o?uploadType=multipart`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/related; boundary=XYZ' },
    body: parts.join(''),
  })
  expect(response.status).toBe(200)
  expect((await call('GET', objectPath('doc'))).body).toMatchObject({
    contentType: 'text/csv',
    metadata: { tenant: 'acme' },
  })
  expect(await (await download('doc')).text()).toBe(data)
})

test('ifGenerationMatch=0 writes an object once', async () => {
  expect((await put('once', 'first', '&ifGenerationMatch=0')).status).toBe(200)
  const second = await put('once', 'second', '&ifGenerationMatch=0')
  expect(second.status).toBe(412)
  expect(second.body).toMatchObject({ error: { code: 412, errors: [{ reason: 'conditionNotMet' }] } })
  expect(await (await download('once')).text()).toBe('first')
})

test('a stale generation changes and deletes nothing', async () => {
  const first = await put('object', '1')
  await put('object', '2')
  const stale = `ifGenerationMatch=${first.body['generation']}`
  expect((await put('object', '3', `&${stale}`)).status).toBe(412)
  expect((await call('DELETE', `${objectPath('object')}?${stale}`)).status).toBe(412)
  expect(await (await download('object')).text()).toBe('2')
})

test('absent objects and buckets are 404 in the shape of Google', async () => {
  const absent = await call('GET', objectPath('absent'))
  expect(absent).toMatchObject({
    status: 404,
    body: { error: { code: 404, errors: [{ reason: 'notFound' }] } },
  })
  expect((await call('GET', '/storage/v1/b/absent')).status).toBe(404)
  expect((await call('DELETE', objectPath('absent'))).status).toBe(404)
})

test('a bucket exists once, and is deleted only when empty', async () => {
  expect((await call('POST', '/storage/v1/b', { name: 'invoices' })).status).toBe(409)
  await put('x', 'x')
  expect((await call('DELETE', '/storage/v1/b/invoices')).status).toBe(409)
  await call('DELETE', objectPath('x'))
  expect((await call('DELETE', '/storage/v1/b/invoices')).status).toBe(204)
})

test.each(['../etc', 'UPPER', 'a', 'a/b', 'a..b'])('the bucket name %j is refused', async (name) => {
  expect((await call('POST', '/storage/v1/b', { name })).status).toBe(400)
})

test('a list is paged by name, each object once, below its prefix', async () => {
  for (const name of ['t/a', 't/b', 't/c', 'u/d', 't/ä']) await put(name, name)
  const names: string[] = []
  let token = ''
  do {
    const { body } = await call('GET', `/storage/v1/b/invoices/o?prefix=t/&maxResults=2${token}`)
    names.push(...(body.items ?? []).map((item) => String(item['name'])))
    token = body['nextPageToken'] ? `&pageToken=${String(body['nextPageToken'])}` : ''
  } while (token)
  expect(names).toEqual(['t/a', 't/b', 't/c', 't/ä'])
})

test('a delimiter folds what lies below into prefixes', async () => {
  for (const name of ['t/a/1', 't/a/2', 't/b', 't/c/1']) await put(name, name)
  const { body } = await call('GET', '/storage/v1/b/invoices/o?prefix=t/&delimiter=/')
  expect(body['prefixes']).toEqual(['t/a/', 't/c/'])
  expect(body.items?.map((item) => item['name'])).toEqual(['t/b'])
})

test('with versioning, what was overwritten or deleted can still be read', async () => {
  await call('PATCH', '/storage/v1/b/invoices', { versioning: { enabled: true } })
  const first = await put('object', '1')
  const second = await put('object', '2')
  await call('DELETE', objectPath('object'))
  expect((await call('GET', objectPath('object'))).status).toBe(404)
  const old = await download('object', `&generation=${String(first.body['generation'])}`)
  expect(await old.text()).toBe('1')
  const { body } = await call('GET', '/storage/v1/b/invoices/o?versions=true')
  expect(body.items?.map((item) => item['generation'])).toEqual([
    first.body['generation'],
    second.body['generation'],
  ])
  expect((await call('GET', '/storage/v1/b/invoices/o')).body.items).toBeUndefined()
})

test('a range gives its bytes', async () => {
  await put('range', '0123456789')
  const response = await fetch(`${server.url}${objectPath('range')}?alt=media`, {
    headers: { range: 'bytes=2-4' },
  })
  expect(response.status).toBe(206)
  expect(await response.text()).toBe('234')
})

test('everything is there after a restart, and generations go on growing', async () => {
  const first = await put('kept', 'value')
  await server.close()
  server = await startStorage({ folder, now: clock.now })
  expect(await (await download('kept')).text()).toBe('value')
  const second = await put('kept', 'new')
  expect(Number(second.body['generation'])).toBeGreaterThan(Number(first.body['generation']))
})
