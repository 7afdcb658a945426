import { DependencyFailed, signalAfter } from '#shared/deadline.ts'
import type { AccessTokenSource } from '#shared/metadata-token.ts'
import type { ObjectStore } from '../ports/exports.ts'

export type CloudStorageOptions = {
  readonly apiUrl: string
  readonly bucket: string
  readonly tokens: AccessTokenSource
}

/** A part is some megabytes. */
const UPLOAD_LIMIT_MS = 30_000
const EXISTS = 412
const UNAUTHORIZED = 401

/** Cloud Storage over its JSON API, with the function's own account. */
export function cloudStorage({ apiUrl, bucket, tokens }: CloudStorageOptions): ObjectStore {
  const upload = async (name: string, bytes: Uint8Array, contentType: string): Promise<number> => {
    const signal = signalAfter(UPLOAD_LIMIT_MS)
    // Generation 0 is no object: what is there already was written by an earlier try, with this content.
    const query = new URLSearchParams({ uploadType: 'media', name, ifGenerationMatch: '0' })
    const answer = await fetch(`${apiUrl}/upload/storage/v1/b/${encodeURIComponent(bucket)}/o?${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await tokens.token(signal)}`, 'content-type': contentType },
      body: Buffer.from(bytes),
      redirect: 'error',
      signal,
    })
    await answer.body?.cancel()
    return answer.status
  }
  return {
    bucket,
    put: async (name, bytes, contentType) => {
      let status = await upload(name, bytes, contentType)
      if (status === UNAUTHORIZED) {
        tokens.forget()
        status = await upload(name, bytes, contentType)
      }
      if (status !== 200 && status !== EXISTS) {
        throw new DependencyFailed(`storage answered ${status}`)
      }
    },
  }
}
