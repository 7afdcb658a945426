/**
 * A path template as API Gateway understands it: literal segments, `{name}`, `*` and `**`.
 *
 * `key` is the template with its variable names taken out: two templates of one key cannot be told
 * apart, so they may not both declare a method.
 */
export type UriTemplate = {
  readonly source: string
  readonly segments: readonly string[]
  readonly variables: ReadonlyArray<{ readonly name: string; readonly group: string }>
  readonly pattern: RegExp
  readonly exact: string | undefined
  readonly key: string
}

/** Parses a template. Returns `undefined` for what the gateway calls an "invalid uri template". */
export function parseUriTemplate(source: string): UriTemplate | undefined {
  if (source === '/') return template(source, [])
  if (!source.startsWith('/')) return undefined
  const pieces = splitSegments(source.slice(1))
  const parsed = pieces?.map(parseSegment)
  if (!parsed?.every((piece) => piece !== undefined)) return undefined
  const names = parsed.map((piece) => piece.name).filter((name) => name !== undefined)
  if (new Set(names).size !== names.length) return undefined
  const flat = parsed.flatMap((piece) => piece.segments)
  const deep = flat.indexOf('**')
  // Only literal segments may follow `**`: the rest of a path can be cut in one way then.
  if (deep >= 0 && flat.slice(deep + 1).some((segment) => segment.includes('*'))) return undefined
  return template(source, parsed)
}

/** The values of the template's variables in a path it matches, as they stand there, not decoded. */
export function bindVariables(uriTemplate: UriTemplate, path: string): Array<readonly [string, string]> {
  const groups = uriTemplate.pattern.exec(path)?.groups ?? {}
  return uriTemplate.variables.map(({ name, group }) => [name, groups[group] ?? ''] as const)
}

/**
 * Orders templates as the gateway tries them: segment by segment a literal before `{param}` and `*`,
 * these before `**`; of two templates one of which begins the other the shorter first, except that
 * everything below `**` comes before `**` itself.
 */
export function compareTemplates(left: UriTemplate, right: UriTemplate): number {
  const length = Math.min(left.segments.length, right.segments.length)
  for (let index = 0; index < length; index += 1) {
    const a = left.segments[index] ?? ''
    const b = right.segments[index] ?? ''
    if (a === b) continue
    return rank(a) - rank(b) || (a < b ? -1 : 1)
  }
  const shorter = left.segments.length - right.segments.length
  return left.segments.slice(0, length).includes('**') ? -shorter : shorter
}

type Piece = { readonly segments: readonly string[]; readonly name: string | undefined }

function template(source: string, pieces: readonly Piece[]): UriTemplate {
  const segments = pieces.flatMap((piece) => piece.segments)
  const variables: Array<{ name: string; group: string }> = []
  const parts = pieces.map((piece) => {
    const body = piece.segments.map(segmentPattern).join('/')
    if (piece.name === undefined) return body
    const group = `v${variables.length}`
    variables.push({ name: piece.name, group })
    return `(?<${group}>${body})`
  })
  const literal = segments.every((segment) => !segment.includes('*'))
  return {
    source,
    segments,
    variables,
    pattern: new RegExp(`^/${parts.join('/')}${segments.length > 0 ? '/?' : ''}$`, 's'),
    exact: literal ? `/${segments.join('/')}` : undefined,
    key: `/${segments.join('/')}`,
  }
}

function segmentPattern(segment: string): string {
  if (segment === '**') return '.*'
  if (segment === '*') return '[^/]+'
  return segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

// Splits at slashes outside braces; a brace left open makes the template invalid.
function splitSegments(path: string): string[] | undefined {
  const segments: string[] = []
  let depth = 0
  let current = ''
  for (const character of path) {
    if (character === '{') depth += 1
    if (character === '}') depth -= 1
    if (depth < 0 || depth > 1) return undefined
    if (character === '/' && depth === 0) {
      segments.push(current)
      current = ''
    } else current += character
  }
  return depth === 0 ? [...segments, current] : undefined
}

function parseSegment(segment: string): Piece | undefined {
  if (segment === '*' || segment === '**') return { segments: [segment], name: undefined }
  const variable = /^\{([^{}=/]+)(?:=([^{}]+))?\}$/.exec(segment)
  if (variable) {
    const inner = (variable[2] ?? '*').split('/')
    const sound = inner.every((part) => part === '*' || part === '**' || isLiteral(part))
    const name = variable[1] ?? ''
    return sound && /^[^.\s]+(\.[^.\s]+)*$/.test(name) ? { segments: inner, name } : undefined
  }
  return isLiteral(segment) ? { segments: [segment], name: undefined } : undefined
}

function isLiteral(segment: string): boolean {
  return segment !== '' && !/[{}*?#\s]/.test(segment)
}

function rank(segment: string): number {
  if (segment === '**') return 2
  return segment === '*' ? 1 : 0
}
