import type { DocumentPath } from '#shared/firestore/paths.ts'
import { timestamp } from '#shared/firestore/values.ts'
import { CODE_REMEMBERED_MS, type IssuedCode } from '../domain/authorization-code.ts'

/** Where a code is; the commit that signs somebody in creates it there. */
export function codePath(codeHash: string): DocumentPath {
  return ['auth_codes', codeHash]
}

/** What is stored of a code: `db.create(codePath(code.codeHash), codeFields(code))`. */
export function codeFields(code: IssuedCode): Record<string, unknown> {
  return { ...code, expireAt: timestamp(code.expiresAtMs + CODE_REMEMBERED_MS) }
}
