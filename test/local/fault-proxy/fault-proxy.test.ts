import { createServer, type Server } from 'node:http'
import { Firestore } from '@google-cloud/firestore'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bindLoopback, type Loopback } from '#local/bind-loopback.ts'
import { type FirestoreEngine, startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { frameReader } from '#local/fault-proxy/frames.ts'
import { type FaultProxy, type NetworkFaults, startFaultProxy } from '#local/fault-proxy/index.ts'
import { systemClock } from '#shared/clock.ts'

describe('between the official client and an engine', () => {
  let engine: FirestoreEngine
  let rpcs: string[] = []
  beforeAll(async () => {
    engine = await startFirestoreEngine({ now: systemClock.now })
    engine.setFault((rpc) => {
      rpcs.push(rpc)
      return undefined
    })
  })
  afterAll(() => engine.close())

  /** Adds one, ten times, through a proxy; what the client saw and what the store holds. */
  async function addTen(faults: NetworkFaults) {
    const proxy = await startFaultProxy({ target: engine.host, seed: 7, faults })
    const projectId = `demo-${Math.round(performance.now() * 1000)}`
    const options = { projectId, ssl: false, customHeaders: { Authorization: 'Bearer owner' } }
    const through = new Firestore({ ...options, host: proxy.host })
    const direct = new Firestore({ ...options, host: engine.host })
    rpcs = []
    let acknowledged = 0
    for (let at = 0; at < 10; at += 1) {
      const added = await through
        .doc(`adds/${at}`)
        .create({ at })
        .catch(() => undefined)
      if (added !== undefined) acknowledged += 1
    }
    const stored = (await direct.collection('adds').count().get()).data().count
    const counts = proxy.counts()
    await through.terminate()
    await direct.terminate()
    await proxy.close()
    return { acknowledged, stored, counts, commits: rpcs.filter((rpc) => rpc === 'Commit').length }
  }

  test('nothing changes when nothing goes wrong', async () => {
    expect(await addTen({})).toMatchObject({
      acknowledged: 10,
      stored: 10,
      commits: 10,
      counts: { requests: 10, cuts: 0, connections: 1 },
    })
  })

  // The client repeats each by itself and then reports its own success as ALREADY_EXISTS.
  test('a cut answer is the answer of something that happened', async () => {
    const { acknowledged, stored, commits, counts } = await addTen({ cutAnswer: 1, mostCuts: 5 })

    expect(counts).toMatchObject({ cuts: 5, unanswered: 5 })
    expect(stored).toBe(10)
    expect(commits).toBe(15)
    // The first request met all five.
    expect(acknowledged).toBe(9)
  })

  test('a connection cut after the request is opened again, and as many cuts are made as were asked for', async () => {
    const { stored, counts } = await addTen({ cutRequest: 1, mostCuts: 4 })

    expect(counts).toMatchObject({ cuts: 4, connections: 5 })
    expect(stored).toBe(10)
  })
})

describe('before any other protocol', () => {
  let server: Server
  let backend: Loopback
  let handled = 0
  beforeAll(async () => {
    server = createServer((_request, response) => {
      handled += 1
      response.end('pong')
    })
    backend = await bindLoopback(server, 0)
  })
  afterAll(() => backend.close())

  const through = async (faults: NetworkFaults, act: (proxy: FaultProxy) => Promise<void>): Promise<void> => {
    const proxy = await startFaultProxy({ target: `127.0.0.1:${backend.port}`, seed: 1, faults })
    try {
      await act(proxy)
    } finally {
      await proxy.close()
    }
  }
  const ping = (proxy: FaultProxy): Promise<string> =>
    fetch(`http://${proxy.host}/`, { headers: { connection: 'close' } }).then((answer) => answer.text())

  test('bytes pass as they are', () =>
    through({}, async (proxy) => {
      expect(await ping(proxy)).toBe('pong')
    }))

  test('a cut answer was given, and never arrives', () =>
    through({ cutAnswer: 1, mostCuts: 1 }, async (proxy) => {
      const before = handled
      await expect(ping(proxy)).rejects.toThrow()
      expect(handled).toBe(before + 1)
      expect(await ping(proxy)).toBe('pong')
      expect(proxy.counts()).toMatchObject({ cuts: 1, unanswered: 1 })
    }))

  test('a delayed answer comes late, and healing ends it', () =>
    through({ delay: 1, delayMs: 150 }, async (proxy) => {
      const startedMs = performance.now()
      expect(await ping(proxy)).toBe('pong')
      expect(performance.now() - startedMs).toBeGreaterThan(140)
      proxy.setFaults({})
      expect(await ping(proxy)).toBe('pong')
      expect(proxy.counts().delays).toBe(1)
    }))

  test('a refused connection says nothing', () =>
    through({ refuse: 1 }, async (proxy) => {
      await expect(ping(proxy)).rejects.toThrow()
      expect(proxy.counts()).toMatchObject({ refused: 1, requests: 0 })
    }))

  test('the same seed draws the same faults', async () => {
    const draw = async (): Promise<string> => {
      let outcomes = ''
      await through({ cutAnswer: 0.3, refuse: 0.2 }, async (proxy) => {
        for (let at = 0; at < 30; at += 1) {
          outcomes += await ping(proxy).then(
            () => '.',
            () => 'x',
          )
        }
      })
      return outcomes
    }
    const first = await draw()

    expect(first).toMatch(/x/)
    expect(await draw()).toBe(first)
  })

  test('a target that is none is said so', async () => {
    await expect(startFaultProxy({ target: 'nowhere', seed: 1 })).rejects.toThrow('host:port')
  })
})

test('frames are found however the bytes are cut', () => {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  const frame = (type: number, flags: number, stream: number, payload: number): Buffer => {
    const head = Buffer.alloc(9 + payload, 0x50)
    head.writeUIntBE(payload, 0, 3)
    head.writeUInt8(type, 3)
    head.writeUInt8(flags, 4)
    head.writeUInt32BE(stream, 5)
    return head
  }
  const bytes = Buffer.concat([
    preface,
    frame(4, 0, 0, 6),
    frame(1, 4, 1, 70),
    frame(0, 1, 1, 300),
    frame(0, 1, 3, 0),
  ])
  for (const size of [1, 2, 7, 9, 24, 25, 1000]) {
    const reader = frameReader('up')
    const seen = []
    for (let at = 0; at < bytes.length; at += size)
      seen.push(...(reader.read(bytes.subarray(at, at + size)) ?? []))
    expect(seen).toEqual([
      { type: 4, flags: 0, streamId: 0 },
      { type: 1, flags: 4, streamId: 1 },
      { type: 0, flags: 1, streamId: 1 },
      { type: 0, flags: 1, streamId: 3 },
    ])
  }
  expect(frameReader('up').read(Buffer.from('GET / HTTP/1.1\r\n'))).toBeUndefined()
})
