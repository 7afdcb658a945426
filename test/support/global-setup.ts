import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import type { Loopback } from '#local/bind-loopback.ts'
import {
  findGoogleEmulators,
  type GoogleEmulator,
  startGoogleFirestore,
  startGooglePubsub,
} from '#local/engine/google.ts'
import { serveLoopback } from '#local/loopback.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The engines this run uses: `embedded`, `google` or both. */
    engines: readonly string[]
    /** Starts Google's emulators when first asked (`GET /firestore`, `GET /pubsub`) and answers their host. */
    googleStarter: string | undefined
    /** Where tests make their folders; removed after the run. */
    temporaryRoot: string
  }
}

const STARTERS: Record<string, () => Promise<GoogleEmulator>> = {
  '/firestore': async () => running(await startGoogleFirestore()),
  '/pubsub': async () => running(await startGooglePubsub({ project: 'demo-energent' })),
}

/**
 * Decides which engines a run uses, and ends what was started for it.
 *
 * `ENGINES=google,embedded` chooses; the default is the embedded one, for Java takes a core and `npm run
 * test:google` runs everything that has a variant for both. Workers are other processes, so they ask over
 * HTTP: one emulator serves the whole run, and a run whose tests need none never starts Java.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const wanted = (process.env['ENGINES'] ?? 'embedded').split(',').map((name) => name.trim())
  const found = await findGoogleEmulators()
  const useGoogle = wanted.includes('google') && found.found
  const engines = [...(wanted.includes('embedded') ? ['embedded'] : []), ...(useGoogle ? ['google'] : [])]
  if (engines.length === 0) throw new Error(`ENGINES=${wanted.join(',')} leaves no engine to test`)
  const why = found.found ? '' : ` (Google's emulators: ${found.reason})`
  process.stdout.write(`Engines of this run: ${engines.join(', ')}${why}\n`)
  const starter = useGoogle ? await serveStarters() : undefined
  project.provide('engines', engines)
  project.provide('googleStarter', starter?.url)
  const temporaryRoot = mkdtempSync(join(tmpdir(), 'energent-tests-'))
  project.provide('temporaryRoot', temporaryRoot)
  return async () => {
    await starter?.close()
    rmSync(temporaryRoot, { recursive: true, force: true })
  }
}

async function serveStarters(): Promise<Loopback> {
  const started = new Map<string, Promise<GoogleEmulator>>()
  const server = await serveLoopback(0, async ({ url }) => {
    const start = STARTERS[url.pathname]
    if (start === undefined) return { status: 404, body: '' }
    const emulator = started.get(url.pathname) ?? start()
    started.set(url.pathname, emulator)
    return { status: 200, body: (await emulator).host }
  })
  return {
    ...server,
    close: async () => {
      await server.close()
      const emulators = await Promise.allSettled(started.values())
      await Promise.all(
        emulators.map((result) => (result.status === 'fulfilled' ? result.value.stop() : undefined)),
      )
    },
  }
}

function running(start: {
  emulator: GoogleEmulator | undefined
  reason: string | undefined
}): GoogleEmulator {
  if (start.emulator === undefined) throw new Error(start.reason)
  return start.emulator
}
