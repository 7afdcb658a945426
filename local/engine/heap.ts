export type Heap<T> = {
  push(item: T): void
  /** The smallest item, left in place. */
  peek(): T | undefined
  pop(): T | undefined
  readonly size: number
}

/** A binary heap: the smallest item by `before` comes out first. */
export function createHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  const items: T[] = []
  const at = (index: number): T => items[index] as T
  const swap = (a: number, b: number): void => {
    const held = at(a)
    items[a] = at(b)
    items[b] = held
  }
  const rise = (start: number): void => {
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(at(index), at(parent))) return
      swap(index, parent)
      index = parent
    }
  }
  const sink = (start: number): void => {
    let index = start
    for (;;) {
      let least = index
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < items.length && before(at(child), at(least))) least = child
      }
      if (least === index) return
      swap(index, least)
      index = least
    }
  }
  return {
    push: (item) => {
      items.push(item)
      rise(items.length - 1)
    },
    peek: () => items[0],
    pop: () => {
      const first = items[0]
      const last = items.pop()
      if (items.length > 0 && last !== undefined) {
        items[0] = last
        sink(0)
      }
      return first
    },
    get size() {
      return items.length
    },
  }
}
