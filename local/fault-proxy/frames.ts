/** The head of one HTTP/2 frame (RFC 9113 section 4.1). */
export type Frame = { readonly type: number; readonly flags: number; readonly streamId: number }

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const HEAD_BYTES = 9
const DATA = 0
const HEADERS = 1
const END_STREAM = 1

export type FrameReader = {
  /** The heads of the frames that begin in this chunk; undefined once it is clear that this is no HTTP/2. */
  read(chunk: Buffer): readonly Frame[] | undefined
}

/**
 * Reads the heads of frames as the bytes of one direction pass by, wherever the chunks are cut.
 *
 * Only heads are looked at: enough to see where a request or an answer ends.
 */
export function frameReader(direction: 'up' | 'down'): FrameReader {
  let prefaceLeft = direction === 'up' ? PREFACE.length : 0
  let isHttp2 = true
  let payloadLeft = 0
  let head: Buffer = Buffer.alloc(0)
  return {
    read: (chunk) => {
      const frames: Frame[] = []
      let at = 0
      while (isHttp2 && at < chunk.length) {
        if (prefaceLeft > 0) {
          const seen = chunk.subarray(at, at + prefaceLeft)
          const from = PREFACE.length - prefaceLeft
          isHttp2 = seen.equals(PREFACE.subarray(from, from + seen.length))
          prefaceLeft -= seen.length
          at += seen.length
        } else if (payloadLeft > 0) {
          const passed = Math.min(payloadLeft, chunk.length - at)
          payloadLeft -= passed
          at += passed
        } else {
          const part = chunk.subarray(at, at + HEAD_BYTES - head.length)
          head = Buffer.concat([head, part])
          at += part.length
          if (head.length === HEAD_BYTES) {
            payloadLeft = head.readUIntBE(0, 3)
            frames.push({
              type: head.readUInt8(3),
              flags: head.readUInt8(4),
              streamId: head.readUInt32BE(5) & 0x7fff_ffff,
            })
            head = Buffer.alloc(0)
          }
        }
      }
      return isHttp2 ? frames : undefined
    },
  }
}

/** Whether the sender says nothing more on this stream: a request is complete, or an answer. */
export function endsStream({ type, flags }: Frame): boolean {
  return (type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0
}

/** Whether the frame carries a part of an answer, rather than keeping the connection going. */
export function isAnswer({ type }: Frame): boolean {
  return type === DATA || type === HEADERS
}
