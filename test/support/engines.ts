import { inject } from 'vitest'
import { startFirestoreEngine } from '#local/engine/firestore/index.ts'
import { systemClock } from '#shared/clock.ts'

export type EngineName = 'embedded' | 'google'

/** An engine a contract is tested on. `close` ends what `host` started for this test file. */
export type TestEngine = {
  name: EngineName
  /** `127.0.0.1:PORT`, started when first asked. */
  host(): Promise<string>
  close(): Promise<void>
}

/** The Firestore engines of this run, for `describe.each`. */
export function firestoreEngines(): TestEngine[] {
  return inject('engines').map((name) =>
    name === 'google' ? googleEngine('firestore') : embeddedFirestore(),
  )
}

/** Google's emulator of a service: one for the whole run, ended with it. */
export function googleEngine(service: 'firestore' | 'pubsub'): TestEngine {
  return {
    name: 'google',
    host: async () => {
      const starter = inject('googleStarter')
      if (starter === undefined) throw new Error("Google's emulators are not part of this run")
      const response = await fetch(`${starter}/${service}`)
      const text = await response.text()
      if (!response.ok) throw new Error(text)
      return text
    },
    close: async () => {},
  }
}

function embeddedFirestore(): TestEngine {
  let engine: ReturnType<typeof startFirestoreEngine> | undefined
  return {
    name: 'embedded',
    host: async () => {
      engine ??= startFirestoreEngine({ now: systemClock.now })
      return (await engine).host
    },
    close: async () => {
      if (engine !== undefined) await (await engine).close()
    },
  }
}
