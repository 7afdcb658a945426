import { join } from 'node:path'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import { credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { status } from '#local/engine/rpc-error.ts'
import {
  type SecretManagerEngine,
  type SecretNotification,
  startSecretManagerEngine,
} from '#local/engine/secrets/index.ts'
import { manualClock } from '#shared/clock.ts'
import { codeOf } from '../../support/code-of.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const { ALREADY_EXISTS, FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND } = status

const PARENT = 'projects/demo-secrets'
const clock = manualClock(Date.UTC(2026, 0, 1))
const published: SecretNotification[] = []
let file: string
let engine: SecretManagerEngine
let client: SecretManagerServiceClient

const open = async (): Promise<void> => {
  engine = await startSecretManagerEngine({
    file,
    now: clock.now,
    publish: async (notification) => published.push(notification),
  })
  client = new SecretManagerServiceClient({
    projectId: 'demo-secrets',
    apiEndpoint: '127.0.0.1',
    port: engine.port,
    sslCreds: credentials.createInsecure(),
  })
}
const close = async (): Promise<void> => {
  await client.close()
  await engine.close()
}

beforeAll(async () => {
  file = join(temporaryFolder(), 'secrets.db')
  await open()
})
afterAll(close)

const create = async (secretId: string, settings: object = {}): Promise<string> => {
  const secret = { replication: { automatic: {} }, ...settings }
  const [created] = await client.createSecret({ parent: PARENT, secretId, secret })
  return created.name ?? ''
}
const add = async (parent: string, text: string): Promise<string> => {
  const [version] = await client.addSecretVersion({ parent, payload: { data: Buffer.from(text) } })
  return version.name ?? ''
}
const read = async (name: string): Promise<string> => {
  const [answer] = await client.accessSecretVersion({ name })
  return Buffer.from((answer.payload?.data ?? '') as Uint8Array).toString()
}

describe('versions', () => {
  test('latest is the newest version, and each number stays what it was', async () => {
    const secret = await create('rotating')
    expect(await add(secret, 'one')).toBe(`${secret}/versions/1`)
    await add(secret, 'two')
    expect(await read(`${secret}/versions/latest`)).toBe('two')
    expect(await read(`${secret}/versions/1`)).toBe('one')
  })

  test('a payload comes with the checksum of its bytes', async () => {
    const secret = await create('checksum')
    await add(secret, '123456789')
    const [answer] = await client.accessSecretVersion({ name: `${secret}/versions/1` })
    // The check value of CRC-32C.
    expect(Number(answer.payload?.dataCrc32c)).toBe(0xe3069283)
  })

  test('a payload that does not match its checksum is refused', async () => {
    const secret = await create('corrupt')
    const payload = { data: Buffer.from('x'), dataCrc32c: 1 }
    expect(await codeOf(client.addSecretVersion({ parent: secret, payload }))).toBe(INVALID_ARGUMENT)
  })

  test('64 KiB fit, one byte more does not', async () => {
    const secret = await create('large')
    const ofBytes = (bytes: number) =>
      client.addSecretVersion({ parent: secret, payload: { data: Buffer.alloc(bytes, 1) } })
    expect(await codeOf(ofBytes(65_537))).toBe(INVALID_ARGUMENT)
    expect(await codeOf(ofBytes(65_536))).toBe('ok')
  })

  test('a disabled version cannot be read until it is enabled', async () => {
    const secret = await create('switch')
    const name = await add(secret, 'value')
    await client.disableSecretVersion({ name })
    expect(await codeOf(client.accessSecretVersion({ name }))).toBe(FAILED_PRECONDITION)
    expect(await codeOf(client.accessSecretVersion({ name: `${secret}/versions/latest` }))).toBe(
      FAILED_PRECONDITION,
    )
    await client.enableSecretVersion({ name })
    expect(await read(name)).toBe('value')
  })

  test('a destroyed version never comes back', async () => {
    const secret = await create('destroyed')
    const name = await add(secret, 'value')
    const [destroyed] = await client.destroySecretVersion({ name })
    expect(destroyed).toMatchObject({ state: 'DESTROYED' })
    expect(destroyed.destroyTime).not.toBeNull()
    expect(await codeOf(client.accessSecretVersion({ name }))).toBe(FAILED_PRECONDITION)
    expect(await codeOf(client.enableSecretVersion({ name }))).toBe(FAILED_PRECONDITION)
  })

  test('an alias reads the version it names', async () => {
    const secret = await create('aliased')
    await add(secret, 'one')
    await add(secret, 'two')
    await client.updateSecret({
      secret: { name: secret, versionAliases: { current: 1 } },
      updateMask: { paths: ['version_aliases'] },
    })
    expect(await read(`${secret}/versions/current`)).toBe('one')
    expect(await codeOf(client.accessSecretVersion({ name: `${secret}/versions/other` }))).toBe(NOT_FOUND)
  })

  test('an alias of a version that does not exist is refused', async () => {
    const secret = await create('alias-nowhere')
    const update = {
      secret: { name: secret, versionAliases: { a: 4 } },
      updateMask: { paths: ['version_aliases'] },
    }
    expect(await codeOf(client.updateSecret(update))).toBe(FAILED_PRECONDITION)
  })

  test('versions are listed newest first, and by state', async () => {
    const secret = await create('listed')
    for (const text of ['a', 'b', 'c']) await add(secret, text)
    await client.disableSecretVersion({ name: `${secret}/versions/2` })
    const [versions] = await client.listSecretVersions({ parent: secret, pageSize: 2 })
    expect(versions.map((version) => version.name?.split('/').at(-1))).toEqual(['3', '2', '1'])
    const [enabled] = await client.listSecretVersions({ parent: secret, filter: 'state:ENABLED' })
    expect(enabled.map((version) => version.name?.split('/').at(-1))).toEqual(['3', '1'])
  })

  test('a stale etag changes nothing', async () => {
    const secret = await create('etag')
    const [version] = await client.addSecretVersion({ parent: secret, payload: { data: Buffer.from('x') } })
    const name = version.name ?? ''
    const etag = version.etag ?? ''
    await client.disableSecretVersion({ name, etag })
    expect(await codeOf(client.enableSecretVersion({ name, etag }))).toBe(FAILED_PRECONDITION)
    expect((await client.getSecretVersion({ name }))[0].state).toBe('DISABLED')
  })
})

describe('secrets', () => {
  test('a second secret of one name is refused', async () => {
    await create('twice')
    expect(await codeOf(create('twice'))).toBe(ALREADY_EXISTS)
  })

  test.each(['', 'a b', 'a/b', 'a'.repeat(256)])('the id %j is refused', async (secretId) => {
    expect(await codeOf(create(secretId))).toBe(INVALID_ARGUMENT)
  })

  test('a secret without replication is refused', async () => {
    const request = { parent: PARENT, secretId: 'no-replication', secret: {} }
    expect(await codeOf(client.createSecret(request))).toBe(INVALID_ARGUMENT)
  })

  test('an absent secret is not found', async () => {
    const name = `${PARENT}/secrets/absent`
    expect(await codeOf(client.getSecret({ name }))).toBe(NOT_FOUND)
    expect(await codeOf(client.accessSecretVersion({ name: `${name}/versions/latest` }))).toBe(NOT_FOUND)
    expect(await codeOf(client.deleteSecret({ name }))).toBe(NOT_FOUND)
  })

  test('a deleted secret takes its versions with it', async () => {
    const secret = await create('deleted')
    await add(secret, 'x')
    await client.deleteSecret({ name: secret })
    await create('deleted')
    expect(await codeOf(client.accessSecretVersion({ name: `${secret}/versions/1` }))).toBe(NOT_FOUND)
  })

  test('a list is filtered by label', async () => {
    await create('labelled', { labels: { team: 'auth' } })
    const [secrets] = await client.listSecrets({ parent: PARENT, filter: 'labels.team=auth' })
    expect(secrets.map((secret) => secret.name)).toEqual([`${PARENT}/secrets/labelled`])
  })

  test('a secret is gone once its time has come', async () => {
    const secret = await create('temporary', { ttl: { seconds: 60 } })
    clock.advance(59_000)
    expect(await codeOf(client.getSecret({ name: secret }))).toBe('ok')
    clock.advance(1_000)
    expect(await codeOf(client.getSecret({ name: secret }))).toBe(NOT_FOUND)
  })

  test('everything is there after a restart', async () => {
    const secret = await create('durable')
    await add(secret, 'kept')
    await close()
    await open()
    expect(await read(`${secret}/versions/latest`)).toBe('kept')
  })
})

describe('rotation', () => {
  const topics = [{ name: 'projects/demo-secrets/topics/secret-rotation' }]

  test('a rotation without a topic is refused', async () => {
    const rotation = { nextRotationTime: { seconds: clock.now() / 1000 + 60 } }
    expect(await codeOf(create('no-topic', { rotation }))).toBe(INVALID_ARGUMENT)
  })

  test('a due rotation is announced once and moves on by its period', async () => {
    const startSeconds = Math.floor(clock.now() / 1000)
    const rotation = {
      nextRotationTime: { seconds: startSeconds + 60 },
      rotationPeriod: { seconds: 3600 },
    }
    const secret = await create('due', { topics, rotation })
    expect(await engine.rotateDue()).toEqual([])
    clock.advance(61_000)
    expect(await engine.rotateDue()).toEqual([secret])
    expect(await engine.rotateDue()).toEqual([])
    expect(published.at(-1)).toMatchObject({
      topic: topics[0]?.name,
      attributes: { eventType: 'SECRET_ROTATE', secretId: secret, dataFormat: 'JSON_API_V1' },
    })
    const [after] = await client.getSecret({ name: secret })
    expect(Number(after.rotation?.nextRotationTime?.seconds)).toBe(startSeconds + 3660)
  })

  test('a rotation can be asked for at once, and its notice holds no payload', async () => {
    const secret = await create('now', { topics })
    await add(secret, 'the-payload-itself')
    await engine.rotateNow(secret)
    const notice = published.at(-1)
    expect(notice?.attributes['secretId']).toBe(secret)
    expect(notice?.data.toString()).not.toContain('the-payload-itself')
  })
})

test('an injected fault reaches the caller, and is gone when taken away', async () => {
  const secret = await create('faulty')
  engine.setFault((rpc) =>
    rpc === 'AccessSecretVersion' ? { mode: 'error', code: status.PERMISSION_DENIED } : undefined,
  )
  await add(secret, 'x')
  expect(await codeOf(client.accessSecretVersion({ name: `${secret}/versions/1` }))).toBe(7)
  engine.setFault(undefined)
  expect(await read(`${secret}/versions/1`)).toBe('x')
})
