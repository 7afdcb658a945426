import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { playJourney } from '#local/demo/journey.ts'
import { createNarrator } from '#local/demo/narrator.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { infoIn, lastLine, npmStart, ROOT, ready } from './npm-start.ts'
import { eventually } from './test-stack.ts'

const run = promisify(execFile)

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('npm start', () => {
  test('prints calls that work as printed, keeps data over a restart, and leaves nothing running', async () => {
    const data = temporaryFolder()
    const first = npmStart(['--port', '0', '--data', data])
    await ready(first)

    const calls = first.output().match(/curl -s .*/g) ?? []
    expect(calls).toHaveLength(2)
    const [usage, token] = await Promise.all(calls.map((call) => run('sh', ['-c', call])))
    expect(JSON.parse(usage?.stdout ?? '')).toHaveProperty('data')
    expect(JSON.parse(token?.stdout ?? '')).toHaveProperty('access_token')
    const before = infoIn(data)
    const pids = Object.values(before.functions).flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
    expect(pids).toHaveLength(6)

    first.child.kill('SIGINT')

    expect(await first.exited).toBe(0)
    expect(pids.filter(isAlive)).toEqual([])

    const second = npmStart(['--port', '0', '--data', data])
    await ready(second)
    const after = infoIn(data)
    expect(after.tenants).toEqual(before.tenants)
    expect(after.operators).toEqual(before.operators)
    await playJourney(
      after,
      'after-restart',
      createNarrator(() => {}),
    )
    second.child.kill('SIGTERM')
    expect(await second.exited).toBe(0)
  }, 180_000)

  test('keeps its folder for itself while it lives, and takes its children with it when it is killed', async () => {
    const data = temporaryFolder()
    const started = npmStart(['--port', '0', '--data', data, '--no-seed'])
    await ready(started)
    const second = npmStart(['--port', '0', '--data', data])
    expect(await second.exited).toBe(1)
    expect(lastLine(second)).toMatch(/Another stack \(process \d+\) uses/)
    const pids = Object.values(infoIn(data).functions).flatMap(({ pid }) => (pid === undefined ? [] : [pid]))

    started.child.kill('SIGKILL')

    await eventually('all children gone', async () => (pids.some(isAlive) ? undefined : true))
    // The lock of a dead process keeps nobody out.
    const next = npmStart(['--port', '0', '--data', data, '--no-seed'])
    await ready(next)
    next.child.kill('SIGINT')
    expect(await next.exited).toBe(0)
  }, 120_000)

  test('says which port is busy and how to move, in one line', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0

    const started = npmStart(['--port', String(port), '--data', temporaryFolder()])

    expect(await started.exited).toBe(1)
    expect(lastLine(started)).toMatch(new RegExp(`^Port ${port} \\(gateway\\) is in use.*--port`))
    server.close()
  }, 60_000)

  test.each([
    [
      'a real project in the environment',
      [],
      { GOOGLE_CLOUD_PROJECT: 'energent-production' },
      /energent-production.*demo-/,
    ],
    [
      'a real project on the command line',
      ['--project', 'energent-production'],
      {},
      /energent-production.*demo-/,
    ],
    ['an unknown engine', ['--engine', 'turbo'], {}, /--engine must be one of embedded, google/],
    ['a port that is none', ['--port', 'eighty'], {}, /--port must be a number/],
  ])(
    'refuses %s in one clear line',
    async (_name, flags, env, line) => {
      const started = npmStart([...flags, '--data', temporaryFolder()], env)

      expect(await started.exited).toBe(1)
      expect(lastLine(started)).toMatch(line)
    },
    60_000,
  )
})

test('the README names no command of npm that package.json does not have', async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8')

  const named = [...readme.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name)

  expect(named.filter((name) => name !== undefined && !(name in scripts))).toEqual([])
})
