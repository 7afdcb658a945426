import { afterEach } from 'vitest'

const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Closes what a test opened when it is over, however it ended; the latest first. */
export function closeAfterTest(...closes: readonly (() => unknown)[]): void {
  closing.push(...closes)
}
