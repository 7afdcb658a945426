/** A step of the demo did not come out as it should. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
}

/** Tells the journey, a line a step, with what came of it and how long it took. */
export type Narrator = {
  step<T>(title: string, play: () => Promise<{ value: T; note: string }>): Promise<T>
}

export function createNarrator(print: (text: string) => void): Narrator {
  let number = 0
  return {
    step: async (title, play) => {
      number += 1
      const startedMs = performance.now()
      const label = `${String(number).padStart(2)}. ${title}`
      try {
        const { value, note } = await play()
        print(`${label}\n      ${note}  (${Math.round(performance.now() - startedMs)} ms)`)
        return value
      } catch (error) {
        print(`${label}\n      FAILED: ${error instanceof Error ? error.message : String(error)}`)
        throw error
      }
    },
  }
}
