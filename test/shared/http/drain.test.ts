import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const FRAMEWORK = join(ROOT, 'node_modules/@google-cloud/functions-framework/build/src')

let child: ChildProcess | undefined
const folder = mkdtempSync(join(tmpdir(), 'drain-'))
afterEach(() => void child?.kill('SIGKILL'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A function under the framework's own main program, whose handler says when it begins and takes a while. */
function startFunction(): ChildProcess {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', main: 'index.js' }))
  writeFileSync(
    join(folder, 'index.js'),
    `import { createRequire } from 'node:module'
     import net from 'node:net'
     import { installFront } from ${JSON.stringify(join(ROOT, 'shared/http/front.ts'))}
     const { listen } = net.Server.prototype
     net.Server.prototype.listen = function (port, listening) {
       this.once('listening', () => console.log('port=' + this.address().port + ';'))
       return listen.call(this, { port, host: '127.0.0.1' }, listening)
     }
     installFront()
     const { http } = createRequire(import.meta.url)(${JSON.stringify(join(FRAMEWORK, 'index.js'))})
     http('slow', (_request, response) => {
       console.log('begun')
       setTimeout(() => response.end('whole'), 700)
     })`,
  )
  return spawn(process.execPath, [join(FRAMEWORK, 'main.js'), '--target=slow', `--source=${folder}`], {
    env: { ...process.env, PORT: '0', NODE_ENV: 'test' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

// The framework alone ends at once: of 20 requests in flight, one got a 500 and 19 a reset.
test.each(['SIGTERM', 'SIGINT'] as const)(
  'on %s what was begun is finished, nothing new is taken, and the process ends well',
  async (signal) => {
    child = startFunction()
    const said: string[] = []
    child.stdout?.on('data', (chunk) => said.push(String(chunk)))
    child.stderr?.on('data', (chunk) => said.push(String(chunk)))
    const port = (): string | undefined => /port=(\d+);/.exec(said.join(''))?.[1]
    await expect.poll(port, { timeout: 10_000 }).toBeDefined()
    const url = `http://127.0.0.1:${port()}/`
    const answers = Array.from({ length: 5 }, async () => (await fetch(url)).text())
    await expect.poll(() => said.join('').split('begun').length - 1, { timeout: 10_000 }).toBe(5)

    const ended = once(child, 'exit')
    child.kill(signal)
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 5 }, () => 'whole'))
    expect((await ended)[0]).toBe(0)
    await expect(fetch(url)).rejects.toThrow()
  },
)
