import { z } from 'zod'
import { isDocumentId } from '../ids.ts'

/**
 * The id of an operation in an event: it names a document, so what cannot name one is malformed, and
 * set aside instead of being delivered again and again.
 */
export const operationIdSchema = z.string().refine(isDocumentId, 'must be an operation id')
