/**
 * As much of the Common Expression Language (cel-spec, 2024) as our admission policies use: literals,
 * fields, indexes, `has`, `in`, comparisons, logic, `?:`, and a few functions. Whatever it does not know
 * is an error, so a policy cannot come to mean something else here than on a cluster.
 */
type Value = string | boolean | bigint | null | readonly Value[] | { readonly [field: string]: unknown }
type Scope = (name: string) => unknown
type Evaluate = (scope: Scope) => Value

/** Parses an expression; throws on anything that is not understood. */
export function parseCel(source: string): Evaluate {
  const tokens = openTokens(source)
  const evaluate = ternary(tokens)
  if (tokens.peek() !== '') throw new SyntaxError(`left over from ${tokens.peek()} on in ${source}`)
  return evaluate
}

/** The tokens of an expression, from where the parser is. */
type Tokens = {
  /** The next one, left where it is; empty at the end. */
  peek(): string
  /** Takes the next one, which must be the one expected, if any is. */
  take(expected?: string): string
}

function openTokens(source: string): Tokens {
  const tokens = tokenize(source)
  let at = 0
  return {
    peek: () => tokens[at] ?? '',
    take: (expected) => {
      const token = tokens[at]
      if (token === undefined || (expected !== undefined && token !== expected)) {
        throw new SyntaxError(`expected ${expected ?? 'more'} but got ${token ?? 'the end'} in ${source}`)
      }
      at += 1
      return token
    },
  }
}

function ternary(tokens: Tokens): Evaluate {
  const condition = or(tokens)
  if (tokens.peek() !== '?') return condition
  tokens.take('?')
  const yes = ternary(tokens)
  tokens.take(':')
  const no = ternary(tokens)
  return (scope) => (truth(condition(scope)) ? yes(scope) : no(scope))
}

function or(tokens: Tokens): Evaluate {
  let left = and(tokens)
  while (tokens.peek() === '||') {
    tokens.take()
    left = logic(left, and(tokens), true)
  }
  return left
}

function and(tokens: Tokens): Evaluate {
  let left = relation(tokens)
  while (tokens.peek() === '&&') {
    tokens.take()
    left = logic(left, relation(tokens), false)
  }
  return left
}

function relation(tokens: Tokens): Evaluate {
  const left = unary(tokens)
  const operator = tokens.peek()
  const compare = Object.hasOwn(RELATIONS, operator) ? RELATIONS[operator] : undefined
  if (compare === undefined) return left
  tokens.take()
  const right = unary(tokens)
  return (scope) => compare(left(scope), right(scope))
}

function unary(tokens: Tokens): Evaluate {
  const sign = tokens.peek()
  if (sign !== '!' && sign !== '-') return member(tokens)
  tokens.take()
  const operand = unary(tokens)
  return sign === '!' ? (scope) => !truth(operand(scope)) : (scope) => -(operand(scope) as bigint)
}

function member(tokens: Tokens): Evaluate {
  let value = primary(tokens)
  while (tokens.peek() === '.' || tokens.peek() === '[') {
    const object = value
    if (tokens.take() === '[') {
      const key = ternary(tokens)
      tokens.take(']')
      value = (scope) => field(object(scope), key(scope) as string)
      continue
    }
    const name = tokens.take()
    value = tokens.peek() === '(' ? method(tokens, object, name) : (scope) => field(object(scope), name)
  }
  return value
}

function method(tokens: Tokens, object: Evaluate, name: string): Evaluate {
  tokens.take('(')
  if (name === 'all' || name === 'exists') return macro(tokens, object, name)
  const args = list(tokens, ')')
  const call = METHODS[name]
  if (call === undefined) throw new SyntaxError(`no method ${name}`)
  return (scope) => call(object(scope), ...args.map((arg) => arg(scope)))
}

function macro(tokens: Tokens, object: Evaluate, name: 'all' | 'exists'): Evaluate {
  const variable = tokens.take()
  tokens.take(',')
  const body = ternary(tokens)
  tokens.take(')')
  return (scope) => {
    const items = object(scope) as readonly Value[]
    const test = (item: Value) => truth(body((other) => (other === variable ? item : scope(other))))
    return name === 'all' ? items.every(test) : items.some(test)
  }
}

function primary(tokens: Tokens): Evaluate {
  const token = tokens.take()
  if (token === '(') {
    const inner = ternary(tokens)
    tokens.take(')')
    return inner
  }
  if (token === '[') {
    const items = list(tokens, ']')
    return (scope) => items.map((item) => item(scope))
  }
  if (/^\d/.test(token)) return () => BigInt(token)
  if (/^['"]/.test(token)) return () => token.slice(1, -1)
  if (token === 'true' || token === 'false') return () => token === 'true'
  if (token === 'null') return () => null
  if (token === 'has') return has(tokens)
  if (!/^[A-Za-z_]/.test(token)) throw new SyntaxError(`unexpected ${token}`)
  if (tokens.peek() !== '(') return (scope) => toValue(scope(token))
  tokens.take('(')
  const args = list(tokens, ')')
  const call = FUNCTIONS[token]
  if (call === undefined) throw new SyntaxError(`no function ${token}`)
  return (scope) => call(...args.map((arg) => arg(scope)))
}

/** `has(a.b.c)`: everything up to the last field must be there, the last one is asked about. */
function has(tokens: Tokens): Evaluate {
  tokens.take('(')
  const path = [tokens.take()]
  while (tokens.peek() === '.') {
    tokens.take()
    path.push(tokens.take())
  }
  tokens.take(')')
  const [first = '', ...rest] = path
  const last = rest.pop() ?? ''
  return (scope) => {
    const object = rest.reduce((value, name) => field(value, name), toValue(scope(first)))
    if (!isMap(object)) throw new TypeError(`${path.join('.')}: not a map`)
    return Object.hasOwn(object, last) && object[last] !== undefined
  }
}

function list(tokens: Tokens, close: string): Evaluate[] {
  const items: Evaluate[] = []
  while (tokens.peek() !== close) {
    items.push(ternary(tokens))
    if (tokens.peek() !== close) tokens.take(',')
  }
  tokens.take(close)
  return items
}

const TOKEN =
  /\s*(?:('(?:[^'\\])*'|"(?:[^"\\])*")|(\d+)|([A-Za-z_]\w*)|(&&|\|\||==|!=|<=|>=|[!?:.,()[\]<>-]))/y

function tokenize(source: string): string[] {
  const tokens: string[] = []
  const text = source.trim()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const start = TOKEN.lastIndex
    const match = TOKEN.exec(text)
    if (match === null) throw new SyntaxError(`cannot read ${text.slice(start, start + 20)}`)
    tokens.push(match[1] ?? match[2] ?? match[3] ?? match[4] ?? '')
  }
  return tokens
}

/** Either side may decide alone, even if the other one fails: that is how CEL has it. */
function logic(left: Evaluate, right: Evaluate, decides: boolean): Evaluate {
  return (scope) => {
    try {
      if (truth(left(scope)) === decides) return decides
    } catch (error) {
      if (truth(right(scope)) === decides) return decides
      throw error
    }
    return truth(right(scope))
  }
}

function truth(value: Value): boolean {
  if (typeof value !== 'boolean') throw new TypeError('not a bool')
  return value
}

const isMap = (value: Value): value is { readonly [field: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function field(value: Value, name: string): Value {
  if (!isMap(value)) throw new TypeError(`${name}: not a map`)
  if (!Object.hasOwn(value, name) || value[name] === undefined) throw new TypeError(`no such key: ${name}`)
  return toValue(value[name])
}

/** JSON's numbers are CEL's ints here. */
function toValue(value: unknown): Value {
  return typeof value === 'number' ? BigInt(value) : (value as Value)
}

const RELATIONS: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
  '==': same,
  '!=': (a, b) => !same(a, b),
  '<': (a, b) => ordered(a, b) < 0,
  '<=': (a, b) => ordered(a, b) <= 0,
  '>': (a, b) => ordered(a, b) > 0,
  '>=': (a, b) => ordered(a, b) >= 0,
  in: (a, b) =>
    Array.isArray(b) ? b.some((one) => same(toValue(one), a)) : Object.hasOwn(b as object, a as string),
}

function same(a: Value, b: Value): boolean {
  if (typeof a === 'object' && a !== null) throw new TypeError('only scalars are compared')
  return a === b
}

function ordered(a: Value, b: Value): number {
  if (typeof a !== typeof b || (typeof a !== 'bigint' && typeof a !== 'string')) {
    throw new TypeError('cannot be compared')
  }
  return a === b ? 0 : (a as bigint) < (b as bigint) ? -1 : 1
}

const METHODS: Readonly<Record<string, (object: Value, ...args: Value[]) => Value>> = {
  startsWith: (text, prefix) => textOf(text).startsWith(textOf(prefix)),
  endsWith: (text, suffix) => textOf(text).endsWith(textOf(suffix)),
  contains: (text, part) => textOf(text).includes(textOf(part)),
  matches: (text, pattern) => new RegExp(textOf(pattern), 'u').test(textOf(text)),
}

const FUNCTIONS: Readonly<Record<string, (...args: Value[]) => Value>> = {
  int: (value) => BigInt(textOf(value)),
  size: (value) => BigInt((value as string | readonly Value[]).length),
}

function textOf(value: Value | undefined): string {
  if (typeof value !== 'string') throw new TypeError('not a string')
  return value
}
