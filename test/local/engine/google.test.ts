import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { findGoogleEmulators, startGooglePubsub } from '#local/engine/google.ts'
import { acceptsConnections } from '#local/tcp-ports.ts'
import { startOtherProcess } from '../../support/other-process.ts'

const found = await findGoogleEmulators()
const MODULE = fileURLToPath(new URL('../../../local/engine/google.ts', import.meta.url))

test('an emulator takes connections when start returns and is gone when stop returns', async ({ skip }) => {
  if (!found.found) return skip(found.reason)
  const { emulator } = await startGooglePubsub({ project: 'demo-google' })
  if (emulator === undefined) throw new Error('found, but not started')

  expect(await acceptsConnections(emulator.port)).toBe(true)
  await emulator.stop()
  expect(await acceptsConnections(emulator.port)).toBe(false)
})

// Nobody hears the last words of a process killed with SIGKILL, so cleaning up there cannot be enough.
test.each(['SIGINT', 'SIGKILL'] as const)('%s of our process leaves no emulator behind', async (signal) => {
  if (!found.found) return
  const program = `
    import { startGooglePubsub } from ${JSON.stringify(MODULE)}
    const { emulator } = await startGooglePubsub({ project: 'demo-google' })
    console.log(emulator.port)
    setInterval(() => {}, 1000)`
  const other = await startOtherProcess(program)
  const port = Number(other.said)
  expect(await acceptsConnections(port)).toBe(true)

  await other.kill(signal)

  await expect.poll(() => acceptsConnections(port), { timeout: 5000 }).toBe(false)
})

test('a machine without gcloud gets a reason instead of an exception', async () => {
  const path = process.env['PATH']
  const home = process.env['JAVA_HOME']
  delete process.env['JAVA_HOME']
  process.env['PATH'] = '/nowhere'
  const result = await startGooglePubsub({ project: 'demo-google' })
  process.env['PATH'] = path
  if (home !== undefined) process.env['JAVA_HOME'] = home
  expect(result).toEqual({ emulator: undefined, reason: expect.stringContaining('Java') })
})
