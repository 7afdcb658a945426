import { asRecord } from '#shared/json.ts'
import { ok, type Result, refuse } from '#shared/result.ts'
import { type EmailAddress, normalizeEmail } from '../email-address.ts'
import { conform, type Resource } from './resource.ts'
import { USER_KIND } from './schema.ts'

/** What a directory says of a person, as far as we act on it; the rest is kept as it came. */
export type DirectoryPerson = {
  /** All attributes but `active`, which is the user's status. */
  readonly attributes: Resource
  readonly userName: string
  readonly externalId: string | undefined
  readonly active: boolean
  readonly email: EmailAddress | undefined
  readonly name: string | undefined
}

const MOST_NAME = 200
/** Sealed and stored with the user: far less than a document holds. */
const MOST_BYTES = 48 * 1024

/** Reads a person from attributes that conform to the schema or are still as they came. */
export function parsePerson(raw: unknown): Result<DirectoryPerson> {
  const conformed = conform(USER_KIND, raw)
  if (!conformed.ok) return conformed
  const { active = true, ...attributes } = conformed.value
  const userName = attributes['userName']
  if (typeof userName !== 'string' || userName.length > 320) {
    return refuse('scim.value_invalid', 'userName', 'userName: is required, with at most 320 characters')
  }
  if (Buffer.byteLength(JSON.stringify(attributes)) > MOST_BYTES) {
    return refuse('scim.too_many', 'too large', 'The attributes of one person are too many.')
  }
  return ok({
    attributes,
    userName,
    externalId: textOf(attributes['externalId']),
    active: active === true,
    email: emailOf(attributes) ?? normalizeEmail(userName),
    name: nameOf(attributes),
  })
}

/** User names differ in more than case (RFC 7643 §4.1.1: `caseExact` is false). */
export function foldUserName(userName: string): string {
  return userName.normalize('NFC').toLowerCase()
}

/** The primary address; without one that at work, or else the first. */
function emailOf(attributes: Resource): EmailAddress | undefined {
  const listed = attributes['emails']
  const emails = (Array.isArray(listed) ? listed : []).map((email) => asRecord(email) ?? {})
  const chosen =
    emails.find(({ primary }) => primary === true) ?? emails.find(({ type }) => type === 'work') ?? emails[0]
  const value = textOf(chosen?.['value'])
  return value === undefined ? undefined : normalizeEmail(value)
}

function nameOf(attributes: Resource): string | undefined {
  const name = asRecord(attributes['name']) ?? {}
  const parts = [textOf(name['givenName']), textOf(name['familyName'])].filter((part) => part !== undefined)
  const shown = textOf(attributes['displayName']) ?? textOf(name['formatted']) ?? parts.join(' ')
  return shown === '' ? undefined : shown.slice(0, MOST_NAME)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
