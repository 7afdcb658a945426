import type { Written } from './serialize.ts'

type Waiting = {
  readonly written: Written
  readonly admit: () => void
  readonly refuse: (error: Error) => void
}

/** The bytes that may be held, in all and of each tenant, and who waits for some of them. */
export type Room = {
  /** Takes room at once; false where there is none, or others wait for the same. */
  take(written: Written): boolean
  /**
   * Resolves once room was taken; rejects when nobody gets any more. `onRoom` is called in the same moment
   * as room is taken: nothing comes between.
   */
  wait(written: Written, onRoom: () => void): Promise<void>
  /** Gives room back; whoever waits gets it in the order in which they came. */
  release(tenantId: string, bytes: number): void
  refuseAll(error: Error): void
  bytes(): number
}

export function createRoom(mostBytes: number, mostBytesOfTenant: number): Room {
  const ofTenant = new Map<string, number>()
  let held = 0
  let waiting: Waiting[] = []
  // Whatever is alone fits: what is larger than all room would wait for ever.
  const fitsInAll = ({ bytes }: Written): boolean => held === 0 || held + bytes <= mostBytes
  const fits = (written: Written): boolean => {
    const own = ofTenant.get(written.tenantId) ?? 0
    return fitsInAll(written) && (own === 0 || own + written.bytes <= mostBytesOfTenant)
  }
  /** A small event does not overtake a large one for ever. */
  const isNext = (written: Written): boolean =>
    !waiting.some((one) => one.written.tenantId === written.tenantId || !fitsInAll(one.written))
  const hold = (tenantId: string, bytes: number): void => {
    held += bytes
    const own = (ofTenant.get(tenantId) ?? 0) + bytes
    if (own === 0) ofTenant.delete(tenantId)
    else ofTenant.set(tenantId, own)
  }
  const take = (written: Written): boolean => {
    if (!fits(written) || !isNext(written)) return false
    hold(written.tenantId, written.bytes)
    return true
  }
  return {
    take,
    wait: (written, onRoom) =>
      new Promise((resolve, refuse) => {
        const admit = (): void => {
          onRoom()
          resolve()
        }
        waiting.push({ written, admit, refuse })
      }),
    release: (tenantId, bytes) => {
      hold(tenantId, -bytes)
      const before = waiting
      waiting = []
      for (const one of before) {
        if (take(one.written)) one.admit()
        else waiting.push(one)
      }
    },
    refuseAll: (error) => {
      for (const { refuse } of waiting.splice(0)) refuse(error)
    },
    bytes: () => held,
  }
}
