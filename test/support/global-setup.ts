import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { TestProject } from 'vitest/node'
import {
  findGoogleEmulators,
  type GoogleEmulator,
  startGoogleFirestore,
  startGooglePubsub,
} from '#local/engine/google.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The engines this run uses: `embedded`, `google` or both. */
    engines: readonly string[]
    /** Starts Google's emulators when first asked (`GET /firestore`, `GET /pubsub`) and answers their host. */
    googleStarter: string | undefined
  }
}

const STARTERS: Record<string, () => Promise<GoogleEmulator>> = {
  '/firestore': async () => running(await startGoogleFirestore()),
  '/pubsub': async () => running(await startGooglePubsub({ project: 'demo-energent' })),
}

/**
 * Decides which engines a run uses, and ends what was started for it.
 *
 * `ENGINES=embedded` or `ENGINES=google,embedded` chooses; the default is all that are installed. Workers
 * are other processes, so they ask over HTTP: one emulator serves the whole run, and a run whose tests
 * need none never starts Java.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const wanted = (process.env['ENGINES'] ?? 'embedded,google').split(',').map((name) => name.trim())
  const found = await findGoogleEmulators()
  const useGoogle = wanted.includes('google') && found.found
  const engines = [...(wanted.includes('embedded') ? ['embedded'] : []), ...(useGoogle ? ['google'] : [])]
  if (engines.length === 0) throw new Error(`ENGINES=${wanted.join(',')} leaves no engine to test`)
  const why = found.found ? '' : ` (Google's emulators: ${found.reason})`
  process.stdout.write(`Engines of this run: ${engines.join(', ')}${why}\n`)
  const starter = useGoogle ? await serveStarters() : undefined
  project.provide('engines', engines)
  project.provide('googleStarter', starter?.url)
  return async () => starter?.stop()
}

async function serveStarters(): Promise<{ url: string; stop(): Promise<void> }> {
  const started = new Map<string, Promise<GoogleEmulator>>()
  const server: Server = createServer((request, response) => {
    const path = request.url ?? ''
    const start = STARTERS[path]
    if (start === undefined) {
      response.writeHead(404).end()
      return
    }
    const emulator = started.get(path) ?? start()
    started.set(path, emulator)
    emulator.then(
      ({ host }) => response.end(host),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the starter has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: async () => {
      server.close()
      server.closeAllConnections()
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
