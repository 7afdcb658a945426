import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { rawBackend, rawExchange } from './fixtures/backend.ts'
import { aStack, openPaths, specOf } from './fixtures/stack.ts'

const METHODS = openPaths('GET /g', 'POST /p', 'DELETE /d')
const gatewayBefore = (backend: { url: string }) =>
  aStack(specOf(METHODS), { resolveBackend: () => backend.url })

describe('bodies', () => {
  const MB = 1024 * 1024

  test('32 MB pass in both directions; one byte more announced is 413 before the backend is asked', async () => {
    const stack = await aStack(specOf(METHODS), {}, (request, response) => {
      response.end(Buffer.alloc(request.url === '/p' ? 32 * MB : 0))
    })
    const whole = await fetch(`${stack.url}/p`, { method: 'POST', body: Buffer.alloc(32 * MB, 97) })
    expect([whole.status, (await whole.arrayBuffer()).byteLength]).toEqual([200, 32 * MB])
    expect(stack.backend.seen[0]?.body).toHaveLength(32 * MB)
    const tooLarge = await rawExchange(
      stack.url,
      `POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: ${32 * MB + 1}\r\n\r\n`,
      /\}$/,
    )
    expect(tooLarge).toMatch(/^HTTP\/1.1 413 [\s\S]*\{"code":413,"message":"Payload Too Large"\}$/)
    expect(stack.backend.seen).toHaveLength(1)
  })

  test('a chunked body that grows over the limit is 413 and never whole at the backend', async () => {
    const stack = await aStack(specOf(METHODS))
    const status = await new Promise<number>((resolve, reject) => {
      const sending = httpRequest(`${stack.url}/p`, { method: 'POST' }, (answer) => {
        answer.resume()
        resolve(answer.statusCode ?? 0)
      })
      sending.on('error', reject)
      for (let sent = 0; sent < 33; sent += 1) sending.write(Buffer.alloc(MB))
      sending.end()
    })
    expect(status).toBe(413)
    expect(stack.backend.seen).toHaveLength(0)
  })

  test('an answer announced over 32 MB is 500; one that grows over it breaks off', async () => {
    const stack = await aStack(specOf(METHODS), {}, (request, response) => {
      if (request.url === '/g') response.writeHead(200, { 'content-length': String(32 * MB + 1) })
      response.write(Buffer.alloc(MB))
      response.end(Buffer.alloc(31 * MB + 1))
    })
    expect((await fetch(`${stack.url}/g`)).status).toBe(500)
    const growing = await fetch(`${stack.url}/d`, { method: 'DELETE' })
    await expect(growing.arrayBuffer()).rejects.toThrow()
  })

  test('a body is read no faster than the backend takes it', async () => {
    const backend = await rawBackend((socket) => socket.pause())
    const stack = await gatewayBefore(backend)
    const { hostname, port } = new URL(stack.url)
    const socket = connect({ host: hostname, port: Number(port) })
    socket.on('error', () => {})
    socket.write(`POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: ${32 * MB}\r\n\r\n`)
    const full = await new Promise<number>((resolve) => {
      let accepted = 0
      const more = () => {
        while (accepted < 31 * MB && socket.write(Buffer.alloc(256 * 1024))) accepted += 256 * 1024
      }
      socket.on('drain', more)
      more()
      // Nobody reads: the flow must stop by itself, long before the whole body is taken.
      let last = -1
      const watch = setInterval(() => {
        if (socket.bytesWritten === last) {
          clearInterval(watch)
          resolve(socket.bytesWritten - socket.writableLength)
        }
        last = socket.bytesWritten
      }, 200)
    })
    socket.destroy()
    expect(full).toBeLessThan(24 * MB)
  })

  test('server-sent bytes arrive as the backend writes them', async () => {
    let finish = () => {}
    const stack = await aStack(specOf(METHODS), {}, (_request, response) => {
      response.write('first')
      finish = () => response.end('last')
    })
    const response = await fetch(`${stack.url}/g`)
    const reader = response.body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('first')
    finish()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('last')
  })

  test('a client that leaves ends the request at the backend', async () => {
    let gone = false
    let arrived = false
    const stack = await aStack(specOf(METHODS), {}, (request, _response) => {
      arrived = true
      request.socket.on('close', () => {
        gone = true
      })
    })
    const abort = new AbortController()
    const pending = fetch(`${stack.url}/g`, { signal: abort.signal }).catch(() => {})
    await until(() => arrived)
    abort.abort()
    await pending
    await until(() => gone)
    expect(stack.records.at(-1)).toMatchObject({ status: 0 })
  })

  test('a backend may answer before it has the whole body', async () => {
    const backend = await rawBackend((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'))
      socket.pause()
      socket.once('readable', () => socket.read())
    })
    const stack = await gatewayBefore(backend)
    const body = Buffer.alloc(8 * MB)
    const response = await fetch(`${stack.url}/p`, { method: 'POST', body })
    expect([response.status, await response.text()]).toEqual([403, 'no'])
    expect((await fetch(`${stack.url}/p`, { method: 'POST', body })).status).toBe(403)
  })

  test('100-continue is sent when the backend is there, and not to a request that is refused', async () => {
    const stack = await aStack(specOf(METHODS))
    const head = 'Host: h\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n'
    const refused = await rawExchange(
      stack.url,
      `POST /none HTTP/1.1\r\n${head.replace('Connection: close\r\n', '')}`,
    )
    expect(refused).toMatch(/^HTTP\/1.1 404 [\s\S]*connection: close/i)
    const interim = await rawExchange(stack.url, `POST /p HTTP/1.1\r\n${head}`, /100 Continue/)
    expect(interim).toMatch(/^HTTP\/1.1 100 Continue/)
    const whole = await rawExchange(stack.url, `POST /p HTTP/1.1\r\n${head}ok`, /\}$/)
    expect(whole).toContain('HTTP/1.1 200')
    expect(stack.backend.seen.at(-1)?.headers['expect']).toBeUndefined()
  })
})
