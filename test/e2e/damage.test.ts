import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { infoIn, lastLine, npmStart, ready, stop } from './npm-start.ts'
import { eventually } from './test-stack.ts'

describe('a first start that is cut off', () => {
  // Whatever moment the user chose: the next start must not meet half of a seed.
  test.each(process.env['LONG'] === undefined ? [1500] : [500, 1500, 2000, 2600, 3500])(
    'after %i ms does not spoil the folder',
    async (afterMs) => {
      const data = temporaryFolder()
      const first = npmStart(['--port', '0', '--data', data])
      await Promise.race([first.exited, new Promise((resolve) => setTimeout(resolve, afterMs))])
      first.child.kill('SIGKILL')
      await first.exited

      const second = npmStart(['--port', '0', '--data', data])
      await ready(second)

      expect(infoIn(data).tenants).toHaveLength(3)
      expect(await stop(second)).toBe(0)
    },
    120_000,
  )
})

describe('what is kept and cannot be used', () => {
  test('is named in one line that says how to begin anew, be it damaged or of another project', async () => {
    const data = temporaryFolder()
    const first = npmStart(['--port', '0', '--data', data, '--no-seed'])
    await ready(first)
    await stop(first)

    for (const file of [
      'seed.json',
      'secrets.sqlite',
      'pubsub.sqlite',
      'firestore.sqlite',
      'google-issuer.json',
    ]) {
      const path = join(data, file)
      const whole = readFileSync(path)
      writeFileSync(path, 'no longer what it was')
      const next = npmStart(['--port', '0', '--data', data, '--no-seed'])
      expect(await next.exited).toBe(1)
      expect(lastLine(next)).toContain(path)
      expect(lastLine(next)).toContain('--fresh')
      expect(next.output().trim().split('\n')).toHaveLength(1)
      writeFileSync(path, whole)
    }

    const other = npmStart(['--port', '0', '--data', data, '--project', 'demo-other'])
    expect(await other.exited).toBe(1)
    expect(lastLine(other)).toMatch(/demo-energent, not demo-other/)

    const fresh = npmStart(['--port', '0', '--data', data, '--no-seed', '--fresh'])
    await ready(fresh)
    expect(await stop(fresh)).toBe(0)
  }, 120_000)

  test.each([
    ['a file', '/etc/passwd', /not a folder/],
    ['a folder nobody can make', '/proc/stack', /cannot be used/],
    ['a folder below nothing', '/nowhere/stack', /does not exist/],
  ])('is refused where the folder is %s', async (_name, path, line) => {
    const started = npmStart(['--port', '0', '--data', path])

    expect(await started.exited).toBe(1)
    expect(lastLine(started)).toMatch(line)
  })
})

test('a shell that points at other emulators does not lead the stack astray, and its parts are started again', async () => {
  const data = temporaryFolder()
  const env = {
    FIRESTORE_EMULATOR_HOST: '127.0.0.1:9',
    PUBSUB_EMULATOR_HOST: '127.0.0.1:9',
    SECRET_MANAGER_EMULATOR_HOST: '127.0.0.1:9',
    GOOGLE_APPLICATION_CREDENTIALS: '/nowhere.json',
  }
  const started = npmStart(['--port', '0', '--data', data], env)
  await ready(started)

  const { issuer, pid } = infoIn(data).idp
  process.kill(pid ?? 0, 'SIGKILL')
  await eventually('a line about it', async () =>
    started.output().includes('The identity provider ended (SIGKILL); starting it again') ? true : undefined,
  )
  await eventually('its discovery document', async () => {
    const answer = await fetch(`${issuer}/.well-known/openid-configuration`)
    return answer.ok ? true : undefined
  })

  // One Ctrl-C can arrive twice: from the terminal, and once more from npm.
  started.child.kill('SIGINT')
  started.child.kill('SIGINT')

  expect(await started.exited).toBe(0)
  expect(existsSync(join(data, 'lock'))).toBe(false)
}, 60_000)
