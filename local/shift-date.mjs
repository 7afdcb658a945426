// Loaded with --import into a process that knows no injected clock: its Date runs beside the machine's
// by the offset in CLOCK_FILE (8 bytes, signed, big-endian milliseconds), as `fileClock` of
// shared/clock.ts does. Timers stay on real time.
import { openSync, readSync } from 'node:fs'

const file = process.env['CLOCK_FILE']
if (file !== undefined && file !== '') shiftDate(file)

/** @param {string} path */
function shiftDate(path) {
  const RealDate = Date
  const descriptor = openSync(path, 'r')
  const bytes = Buffer.alloc(8)
  const now = () => {
    const read = readSync(descriptor, bytes, 0, 8, 0)
    return RealDate.now() + (read === 8 ? Number(bytes.readBigInt64BE()) : 0)
  }
  globalThis.Date = new Proxy(RealDate, {
    // Date() without new is text, and the text of now.
    apply: () => new RealDate(now()).toString(),
    construct: (target, parameters, newTarget) =>
      Reflect.construct(target, parameters.length === 0 ? [now()] : parameters, newTarget),
    get: (target, property, receiver) => (property === 'now' ? now : Reflect.get(target, property, receiver)),
  })
}
