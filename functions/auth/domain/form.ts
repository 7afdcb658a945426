import { ok, type Refusal, type Result, refuse } from '#shared/result.ts'

const MOST_PARAMETERS = 32
/** RFC 8707 §2 and RFC 8693 §2.1: the only parameters that may stand more than once. */
const REPEATABLE: ReadonlySet<string> = new Set(['resource', 'audience'])

/** A parsed form: each name with its values, empty values left out (RFC 6749 §3.2). */
export type Form = ReadonlyMap<string, readonly string[]>

/**
 * Parses `application/x-www-form-urlencoded` strictly: UTF-8, whole percent escapes, no NUL, at most 32
 * parameters, none twice but `resource` and `audience`.
 *
 * The lenient parser of the platform would take the last of two `client_id`s, and somebody in front of
 * us the first.
 */
export function parseForm(body: Uint8Array): Result<Form> {
  if (body.length === 0) return ok(new Map())
  const text = asciiOf(body)
  if (text === undefined) return malformed('The form must be percent-encoded.')
  const pairs = text.split('&').filter((pair) => pair !== '')
  if (pairs.length > MOST_PARAMETERS) return malformed(`There are more than ${MOST_PARAMETERS} parameters.`)
  const seen = new Set<string>()
  const form = new Map<string, string[]>()
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    const name = decodeFormText(equals < 0 ? pair : pair.slice(0, equals))
    const value = decodeFormText(equals < 0 ? '' : pair.slice(equals + 1))
    if (name === undefined || value === undefined) return malformed('A percent escape is not valid UTF-8.')
    if (seen.has(name) && !REPEATABLE.has(name)) return malformed('A parameter stands more than once.')
    seen.add(name)
    if (value !== '') form.set(name, [...(form.get(name) ?? []), value])
  }
  return ok(form)
}

/** The single value of a parameter. */
export function parameterOf(form: Form, name: string): string | undefined {
  return form.get(name)?.[0]
}

/** Decodes one form-encoded text (`+` is a space); undefined for bad escapes, bad UTF-8 and NUL. */
export function decodeFormText(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '))
    return decoded.includes('\0') ? undefined : decoded
  } catch {
    return undefined
  }
}

function asciiOf(body: Uint8Array): string | undefined {
  return body.every((byte) => byte > 0x1f && byte < 0x7f) ? Buffer.from(body).toString('latin1') : undefined
}

function malformed(hint: string): Refusal {
  return refuse('request.malformed', 'form', hint)
}
