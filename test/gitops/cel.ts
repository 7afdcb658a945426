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
  const tokens = tokenize(source)
  let at = 0
  const peek = (): string => tokens[at] ?? ''
  const take = (expected?: string): string => {
    const token = tokens[at]
    if (token === undefined || (expected !== undefined && token !== expected)) {
      throw new SyntaxError(`expected ${expected ?? 'more'} but got ${token ?? 'the end'} in ${source}`)
    }
    at += 1
    return token
  }
  const list = (close: string): Evaluate[] => {
    const items: Evaluate[] = []
    while (peek() !== close) {
      items.push(ternary())
      if (peek() !== close) take(',')
    }
    take(close)
    return items
  }

  const ternary = (): Evaluate => {
    const condition = or()
    if (peek() !== '?') return condition
    take('?')
    const yes = ternary()
    take(':')
    const no = ternary()
    return (scope) => (truth(condition(scope)) ? yes(scope) : no(scope))
  }
  const or = (): Evaluate => {
    let left = and()
    while (peek() === '||') left = logic(left, (take(), and()), true)
    return left
  }
  const and = (): Evaluate => {
    let left = relation()
    while (peek() === '&&') left = logic(left, (take(), relation()), false)
    return left
  }
  const relation = (): Evaluate => {
    const left = unary()
    const operator = peek()
    if (!Object.hasOwn(RELATIONS, operator)) return left
    take()
    const right = unary()
    const compare = RELATIONS[operator] as (a: Value, b: Value) => boolean
    return (scope) => compare(left(scope), right(scope))
  }
  const unary = (): Evaluate => {
    if (peek() === '!') {
      take()
      const operand = unary()
      return (scope) => !truth(operand(scope))
    }
    if (peek() === '-') {
      take()
      const operand = unary()
      return (scope) => -(operand(scope) as bigint)
    }
    return member()
  }
  const member = (): Evaluate => {
    let value = primary()
    while (peek() === '.' || peek() === '[') {
      const object = value
      if (take() === '[') {
        const key = ternary()
        take(']')
        value = (scope) => field(object(scope), key(scope) as string)
        continue
      }
      const name = take()
      if (peek() !== '(') value = (scope) => field(object(scope), name)
      else if (name === 'all' || name === 'exists') value = macro(object, name)
      else {
        take('(')
        const args = list(')')
        const method = METHODS[name]
        if (method === undefined) throw new SyntaxError(`no method ${name}`)
        value = (scope) => method(object(scope), ...args.map((arg) => arg(scope)))
      }
    }
    return value
  }
  const macro = (object: Evaluate, name: 'all' | 'exists'): Evaluate => {
    take('(')
    const variable = take()
    take(',')
    const body = ternary()
    take(')')
    return (scope) => {
      const items = object(scope) as readonly Value[]
      const test = (item: Value) => truth(body((other) => (other === variable ? item : scope(other))))
      return name === 'all' ? items.every(test) : items.some(test)
    }
  }
  const primary = (): Evaluate => {
    const token = take()
    if (token === '(') {
      const inner = ternary()
      take(')')
      return inner
    }
    if (token === '[') {
      const items = list(']')
      return (scope) => items.map((item) => item(scope))
    }
    if (/^\d/.test(token)) return () => BigInt(token)
    if (/^['"]/.test(token)) return () => token.slice(1, -1)
    if (token === 'true' || token === 'false') return () => token === 'true'
    if (token === 'null') return () => null
    if (token === 'has') return has()
    if (peek() === '(') {
      take('(')
      const args = list(')')
      const call = FUNCTIONS[token]
      if (call === undefined) throw new SyntaxError(`no function ${token}`)
      return (scope) => call(...args.map((arg) => arg(scope)))
    }
    if (!/^[A-Za-z_]/.test(token)) throw new SyntaxError(`unexpected ${token} in ${source}`)
    return (scope) => toValue(scope(token))
  }
  /** `has(a.b.c)`: everything up to the last field must be there, the last one is asked about. */
  const has = (): Evaluate => {
    take('(')
    const path = [take()]
    while (peek() === '.') path.push((take(), take()))
    take(')')
    const [first = '', ...rest] = path
    const last = rest.pop() ?? ''
    return (scope) => {
      const object = rest.reduce((value, name) => field(value, name), toValue(scope(first)))
      if (!isMap(object)) throw new TypeError(`${path.join('.')}: not a map`)
      return Object.hasOwn(object, last) && object[last] !== undefined
    }
  }

  const evaluate = ternary()
  if (at !== tokens.length) throw new SyntaxError(`left over: ${tokens.slice(at).join(' ')}`)
  return evaluate
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
