/** Lets a bounded number of requests in at once. */
export type Admission = {
  /** A place, at once or when one is free; `undefined` when the wait took too long. */
  enter(): Promise<{ leave(): void } | undefined>
}

/** `queueMs` is real time: the requests that hold the places end in real time. */
export function createAdmission(places: number, queueMs: number): Admission {
  let free = places
  const waiting: Array<() => void> = []
  const leave = () => {
    const next = waiting.shift()
    if (next) next()
    else free += 1
  }
  return {
    enter: () => {
      if (free > 0) {
        free -= 1
        return Promise.resolve({ leave })
      }
      return new Promise((resolve) => {
        const admit = () => {
          clearTimeout(timer)
          resolve({ leave })
        }
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(admit), 1)
          resolve(undefined)
        }, queueMs)
        waiting.push(admit)
      })
    },
  }
}
