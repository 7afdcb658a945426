/** A dependency did not answer in time: the caller gets 503, a message is delivered again. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded'
}

/** A dependency could not be reached or did not answer as it should: the same as one that is too slow. */
export class DependencyFailed extends Error {
  override readonly name = 'DependencyFailed'
}

/**
 * The promise's outcome, or `DeadlineExceeded` after `limitMs` of real time.
 *
 * The work itself cannot be called back: its effect may still happen, which is why every effect is
 * a conditional commit that recognises itself.
 */
export async function withDeadline<T>(what: string, limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new DeadlineExceeded(`${what} took longer than ${limitMs} ms`)), limitMs)
  })
  try {
    return await Promise.race([work, expiry])
  } finally {
    clearTimeout(timer)
  }
}

/** How long one call to a store, a broker or a secret may take. */
export const CALL_DEADLINE_MS = 8_000
