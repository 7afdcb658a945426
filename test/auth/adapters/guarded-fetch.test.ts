import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import {
  asFetch,
  guardedFetch,
  type ResolvedAddress,
} from '../../../functions/auth/adapters/guarded-fetch.ts'
import { GuardRefused } from '../../../functions/auth/ports/outbound.ts'
import { selfSigned } from '../support/self-signed.ts'

const DEMO = { GOOGLE_CLOUD_PROJECT: 'demo-test', OUTBOUND_ALLOW: undefined }
const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** Which rule refused, or the status of the answer. */
async function outcome(call: Promise<{ readonly status: number }>): Promise<string | number> {
  try {
    return (await call).status
  } catch (error) {
    if (error instanceof GuardRefused) return error.rule
    throw error
  }
}

function opened(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  closing.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  )
}

/** A loopback server that OUTBOUND_ALLOW names, and the guard that may call it. */
async function allowed(listener: RequestListener) {
  const port = await opened(createServer(listener))
  const fetch = guardedFetch({ ...DEMO, OUTBOUND_ALLOW: `127.0.0.1:${port}` })
  return { url: `http://127.0.0.1:${port}`, fetch, port }
}

const neverAsked = async (): Promise<never> => {
  throw new Error('nothing may be resolved for this')
}

describe('what the URL alone gives away', () => {
  const guarded = guardedFetch(DEMO, { resolve: neverAsked })

  test.each([
    ['', 'url'],
    ['not a url', 'url'],
    ['//idp.example.com/', 'url'],
    [`https://idp.example.com/${'a'.repeat(2048)}`, 'url'],
    ['http://idp.example.com/', 'scheme'],
    ['ftp://idp.example.com/', 'scheme'],
    ['file:///etc/passwd', 'scheme'],
    ['gopher://127.0.0.1:6379/_', 'scheme'],
    ['data:text/plain,x', 'scheme'],
    ['https://user@idp.example.com/', 'userinfo'],
    ['https://user:pass@idp.example.com/', 'userinfo'],
    ['https://:pass@idp.example.com/', 'userinfo'],
    ['https://idp.example.com:8443/', 'port'],
    ['https://idp.example.com:80/', 'port'],
    ['https://idp.example.com:22/', 'port'],
    ['https://localhost/', 'host'],
    ['https://LOCALHOST/', 'host'],
    ['https://localhost./', 'host'],
    ['https://app.localhost/', 'host'],
    ['https://metadata/', 'host'],
    ['https://metadata.google.internal/', 'host'],
    ['https://metadata.google.internal./', 'host'],
    ['https://METADATA.GOOGLE.INTERNAL/', 'host'],
    ['https://printer.local/', 'host'],
    ['https://router.home.arpa/', 'host'],
    ['https://kubernetes.default.svc.cluster.local/', 'host'],
    ['https://x.onion/', 'host'],
    ['https://127.0.0.1/', 'address'],
    ['https://127.1/', 'address'],
    ['https://0x7f.1/', 'address'],
    ['https://0177.0.0.1/', 'address'],
    ['https://2130706433/', 'address'],
    ['https://127.0.0.1./', 'address'],
    ['https://１２７.0.0.1/', 'address'],
    ['https://169.254.169.254/computeMetadata/v1/', 'address'],
    ['https://[::1]/', 'address'],
    ['https://[::]/', 'address'],
    ['https://[::ffff:127.0.0.1]/', 'address'],
    ['https://[::ffff:7f00:1]/', 'address'],
    ['https://[fd00:ec2::254]/', 'address'],
    ['https://[64:ff9b::7f00:1]/', 'address'],
    ['https://[2002:7f00:1::]/', 'address'],
    ['https://[fe80::1%25eth0]/', 'url'],
    ['https://10.0.0.1/', 'address'],
  ])('%s is refused by its %s', async (url, rule) => {
    expect(await outcome(guarded(url, { maxBytes: 10 }))).toBe(rule)
  })

  test('only methods that read or ask are made', async () => {
    const { url, fetch } = await allowed((_request, response) => void response.end())
    for (const method of ['PUT', 'DELETE', 'CONNECT', 'get']) {
      expect(await outcome(fetch(url, { method, maxBytes: 1 })), method).toBe('method')
    }
  })
})

describe('what a name resolves to', () => {
  const answering =
    (...addresses: readonly string[]) =>
    async (): Promise<ResolvedAddress[]> =>
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  const to = (...addresses: readonly string[]) => {
    const guarded = guardedFetch(DEMO, { resolve: answering(...addresses) })
    return outcome(guarded('https://idp.example.com/', { maxBytes: 10 }))
  }

  test.each([
    [['127.0.0.1']],
    [['10.1.2.3']],
    [['169.254.169.254']],
    [['::1']],
    [['::ffff:10.0.0.1']],
    [['fd00:ec2::254']],
    [['64:ff9b::a00:1']],
    [['0.0.0.0']],
    [['93.184.216.34', '127.0.0.1']],
    [['2606:4700::1111', '93.184.216.34', 'fe80::1']],
    [['garbage']],
    [['']],
  ])('%j: one address that is not public refuses the call', async (addresses) => {
    expect(await to(...addresses)).toBe('address')
  })

  test('no address at all, or a resolver that fails, is no answer', async () => {
    expect(await to()).toBe('network')
    const failing = guardedFetch(DEMO, { resolve: neverAsked })
    expect(await outcome(failing('https://idp.example.com/', { maxBytes: 1 }))).toBe('network')
  })

  test('a resolver that never answers is given up in time', async () => {
    const guarded = guardedFetch(DEMO, { resolve: () => new Promise(() => {}) })
    const call = guarded('https://idp.example.com/', { maxBytes: 1, timeoutMs: 30 })
    expect(await outcome(call)).toBe('time')
  })

  // The attack on a check that resolves once to look and once more to connect.
  test('a name that is public when looked at and private when connected to is asked only once', async () => {
    const reached: string[] = []
    await opened(createTcpServer((socket) => void reached.push(String(socket.remoteAddress))))
    let asked = 0
    const guarded = guardedFetch(DEMO, {
      resolve: async () => {
        asked += 1
        // Global unicast, and given to nobody: it counts as public and leads nowhere.
        return [asked === 1 ? { address: '2000::1', family: 6 } : { address: '127.0.0.1', family: 4 }]
      },
    })
    const call = guarded('https://rebind.example.com/', { maxBytes: 1, timeoutMs: 150 })
    expect(['time', 'network']).toContain(await outcome(call))
    expect(asked).toBe(1)
    expect(reached).toEqual([])
    expect(await outcome(guarded('https://rebind.example.com/', { maxBytes: 1 }))).toBe('address')
  })

  // Whatever stands between the check and the socket: the socket itself has the last word.
  test('an address that changes between the check and the connection is caught on the socket', async () => {
    const port = 443
    let looks = 0
    const changing = {
      family: 4,
      get address() {
        looks += 1
        return looks === 1 ? '93.184.216.34' : '127.0.0.1'
      },
    }
    let said = ''
    const server = createTcpServer((socket) =>
      socket.on('data', (bytes) => {
        said += bytes.toString('latin1')
      }),
    )
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    }).catch(() => {})
    const guarded = guardedFetch(DEMO, { resolve: async () => [changing] })
    const call = guarded('https://rebind.example.com/secret', { maxBytes: 1, timeoutMs: 1_000 })
    // Where port 443 cannot be bound nothing listens, and the connection itself fails.
    expect(await outcome(call)).toBe(server.listening ? 'address' : 'network')
    expect(said).toBe('')
  })
})

describe('what OUTBOUND_ALLOW opens', () => {
  test('is one host and port, in one spelling, and nothing beside it', async () => {
    const { url, fetch, port } = await allowed((_request, response) => void response.end('ok'))
    expect(await outcome(fetch(url, { maxBytes: 10 }))).toBe(200)
    expect(await outcome(fetch(`http://localhost:${port}/`, { maxBytes: 10 }))).toBe('scheme')
    expect(await outcome(fetch(`https://127.0.0.1/`, { maxBytes: 10 }))).toBe('address')
    expect(await outcome(fetch(`http://127.0.0.1:${port + 1}/`, { maxBytes: 10 }))).toBe('scheme')
    expect(await outcome(fetch(`http://user@127.0.0.1:${port}/`, { maxBytes: 10 }))).toBe('userinfo')
    expect(await outcome(fetch(`ws://127.0.0.1:${port}/`, { maxBytes: 10 }))).toBe('scheme')
  })

  test('is nothing outside demo projects', async () => {
    const { url, port } = await allowed((_request, response) => void response.end('ok'))
    const real = { GOOGLE_CLOUD_PROJECT: 'energent-prod', OUTBOUND_ALLOW: `127.0.0.1:${port}` }
    expect(await outcome(guardedFetch(real)(url, { maxBytes: 10 }))).toBe('scheme')
  })
})

describe('TLS', () => {
  test('a certificate that nobody vouches for is no answer, and nothing was said to who has it', async () => {
    let asked = 0
    const server = createHttpsServer(selfSigned(), (_request, response) => {
      asked += 1
      response.end('ok')
    })
    const port = await opened(server)
    const fetch = guardedFetch({ ...DEMO, OUTBOUND_ALLOW: `localhost:${port}` })
    expect(await outcome(fetch(`https://localhost:${port}/secret`, { maxBytes: 10 }))).toBe('network')
    expect(asked).toBe(0)
  })
})

describe('what the other side answers', () => {
  test.each([301, 302, 303, 307, 308, 300])('a redirect is never followed (%i)', async (status) => {
    const seen: unknown[] = []
    const { url, fetch } = await allowed((request, response) => {
      seen.push(request.url)
      response.writeHead(status, { location: '/elsewhere' }).end()
    })
    expect(await outcome(fetch(url, { maxBytes: 10 }))).toBe('redirect')
    expect(seen).toEqual(['/'])
  })

  test('a switch of protocols is no answer', async () => {
    const { url, fetch } = await allowed((_request, response) => {
      response.writeHead(101, { connection: 'upgrade', upgrade: 'h2c' }).end()
    })
    expect(['redirect', 'network']).toContain(await outcome(fetch(url, { maxBytes: 10 })))
  })

  test.each(['gzip', 'br', 'deflate', 'zstd', 'GZIP', 'identity, gzip'])(
    'nothing is inflated (%s)',
    async (encoding) => {
      const bomb = gzipSync(Buffer.alloc(10_000_000))
      const { url, fetch } = await allowed((request, response) => {
        expect(request.headers['accept-encoding']).toBe('identity')
        response.writeHead(200, { 'content-encoding': encoding }).end(bomb)
      })
      expect(await outcome(fetch(url, { maxBytes: 100_000_000 }))).toBe('encoding')
    },
  )

  test('a body longer than asked for is refused, announced or not', async () => {
    const { url, fetch } = await allowed((request, response) => {
      if (request.url === '/announced') response.setHeader('content-length', 11)
      response.end(Buffer.alloc(request.url === '/exact' ? 10 : 11))
    })
    expect(await outcome(fetch(`${url}/announced`, { maxBytes: 10 }))).toBe('size')
    expect(await outcome(fetch(`${url}/chunked`, { maxBytes: 10 }))).toBe('size')
    expect(await outcome(fetch(`${url}/exact`, { maxBytes: 10 }))).toBe(200)
  })

  test('a body without end is cut off at the limit, not read', async () => {
    let written = 0
    const { url, fetch } = await allowed((_request, response) => {
      const pump = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(16_384))) written += 16_384
        if (!response.destroyed) response.once('drain', pump)
      }
      pump()
    })
    expect(await outcome(fetch(url, { maxBytes: 65_536 }))).toBe('size')
    expect(written).toBeLessThan(50_000_000)
  })

  test('headers without end are refused', async () => {
    const { url, fetch } = await allowed((_request, response) => {
      response.writeHead(200, { 'x-long': 'a'.repeat(40_000) }).end()
    })
    expect(await outcome(fetch(url, { maxBytes: 10 }))).toBe('network')
  })

  test.each([
    ['says nothing', () => {}],
    ['sends a byte at a time', (socket: Socket) => drip(socket, 'HTTP/1.1 200 OK\r\nx-a: ')],
    [
      'stops in the body',
      (socket: Socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12'),
    ],
  ])('who %s is given up in time', async (_name, behave) => {
    const port = await opened(createTcpServer(behave))
    const fetch = guardedFetch({ ...DEMO, OUTBOUND_ALLOW: `127.0.0.1:${port}` })
    expect(await outcome(fetch(`http://127.0.0.1:${port}/`, { maxBytes: 99, timeoutMs: 120 }))).toBe('time')
  })

  test.each([
    'HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n',
    'HTTP/1.1 000 Odd\r\ncontent-length: 0\r\n\r\n',
    'HTTP/1.1 600 Odd\r\ncontent-length: 0\r\n\r\n',
    'garbage\r\n\r\n',
    'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n',
    '',
  ])('what is not HTTP is no answer (%j)', async (bytes) => {
    const port = await opened(createTcpServer((socket) => void socket.end(bytes)))
    const fetch = guardedFetch({ ...DEMO, OUTBOUND_ALLOW: `127.0.0.1:${port}` })
    expect(await outcome(fetch(`http://127.0.0.1:${port}/`, { maxBytes: 99 }))).toBe('network')
  })

  test('the caller can stop waiting', async () => {
    const port = await opened(createTcpServer(() => {}))
    const fetch = guardedFetch({ ...DEMO, OUTBOUND_ALLOW: `127.0.0.1:${port}` })
    const stop = AbortSignal.abort()
    expect(await outcome(fetch(`http://127.0.0.1:${port}/`, { maxBytes: 9, signal: stop }))).toBe('network')
  })

  test('the refusal says nothing of the answer', async () => {
    const { url, fetch } = await allowed((_request, response) => {
      response.writeHead(302, { location: 'https://secret.internal/' }).end('secret body')
    })
    const error = await fetch(url, { maxBytes: 10 }).catch((thrown: unknown) => thrown)
    expect(String(error)).not.toContain('secret')
  })
})

describe('as fetch', () => {
  test('a library gets status, headers and body, and posts its form', async () => {
    const { url, fetch } = await allowed((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        const { host, ...rest } = request.headers
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({ body, host, type: rest['content-type'], x: rest['x-own'] }))
      })
    })
    const answer = await asFetch(fetch)(`${url}/token`, {
      method: 'POST',
      headers: { 'x-own': '1', host: 'other.example.com', 'content-length': '999' },
      body: new URLSearchParams({ grant_type: 'authorization_code' }),
      redirect: 'manual',
    })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({
      body: 'grant_type=authorization_code',
      host: url.slice('http://'.length),
      type: 'application/x-www-form-urlencoded;charset=UTF-8',
      x: '1',
    })
  })

  test('what the guard refuses rejects', async () => {
    const refused = asFetch(guardedFetch(DEMO))('https://169.254.169.254/')
    await expect(refused).rejects.toThrow(GuardRefused)
  })
})

function drip(socket: Socket, start: string): void {
  socket.write(start)
  const timer = setInterval(() => void socket.write('a'), 20)
  socket.on('close', () => clearInterval(timer))
}
