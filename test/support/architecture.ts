import { dirname, join, normalize } from 'node:path/posix'

/** One rule broken: where, which, and by what. */
export type Violation = { readonly file: string; readonly rule: string; readonly found: string }

/** Which layers of a function group a layer may import (design: index → wiring → adapters → ports ← operations → domain). */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  index: ['wiring', 'http', 'events', 'deps'],
  wiring: ['adapters', 'ports', 'deps', 'domain'],
  http: ['operations', 'domain', 'ports', 'deps', 'http', 'reply'],
  events: ['operations', 'domain', 'ports', 'deps', 'events', 'work'],
  work: ['operations', 'domain', 'ports', 'deps'],
  reply: ['operations', 'domain', 'ports'],
  deps: ['operations', 'ports', 'domain'],
  operations: ['operations', 'domain', 'ports'],
  adapters: ['adapters', 'ports', 'domain'],
  ports: ['domain', 'ports'],
  domain: ['domain'],
}

/** The part of the shared library without I/O, clock, environment or SDK. */
const PURE_SHARED =
  /^#shared\/(?:catalogue|contracts)(?:\.ts$|\/)|^#shared\/(?:result|refusals|refusal-help|redact|ids|json|trace)\.ts$|^#shared\/tokens\/(?:tenant-access|admit-jwk)\.ts$/
const PURE_PACKAGES: readonly string[] = ['zod', 'node:crypto', 'node:zlib']

/** What only some files may import, by module: the SDKs, each behind one door. */
const MODULE_DOORS: readonly (readonly [module: RegExp, files: RegExp])[] = [
  [/^@google-cloud\/firestore/, /^(?:shared\/firestore\/|local\/|bench\/)/],
  [/^@google-cloud\/pubsub/, /^(?:shared\/pubsub\/|local\/|bench\/)/],
  [/^@google-cloud\/secret-manager/, /^(?:shared\/secrets\.ts$|local\/|bench\/)/],
  [/^@google-cloud\/functions-framework/, /^functions\/[^/]+\/index\.ts$|^local\/|^bench\//],
  [/^@grpc\//, /^(?:shared\/secrets\.ts$|local\/|bench\/)/],
  [/^stripe/, /^functions\/billing\/(?:adapters\/|wiring\.ts)|^local\/|^bench\//],
]

const IN_FIRESTORE = /^shared\/firestore\//

/** What only some files may import, by name: whoever holds one of these could get around the wall between tenants. */
const NAME_DOORS: Readonly<Record<string, RegExp>> = {
  prove:
    /^shared\/(?:pubsub\/verify-event|tokens\/verify-access-token|tenancy\/(?:operator|credential))\.ts$/,
  reach: IN_FIRESTORE,
  detailOf: IN_FIRESTORE,
  writeOf: IN_FIRESTORE,
  scopedDb: IN_FIRESTORE,
  readDocument: IN_FIRESTORE,
  listDocuments: IN_FIRESTORE,
  commitWrites: IN_FIRESTORE,
  tenantIndex: /^(?:shared\/firestore|functions\/tenant-events)\//,
  replaceTimers: /^shared\/testing\//,
  keyringNotice: /^(?:shared\/firestore|functions\/auth)\//,
  findCredential: /^(?:shared\/firestore|functions\/auth)\//,
  openByCredential:
    /^functions\/auth\/operations\/(?:authenticate-client|authenticate-api-key|exchange-workload-token|begin-sign-in|finish-sign-in|end-idp-session|tell-lockout)\.ts$/,
  openAsDeployer: /^(?:functions\/auth\/operations\/bootstrap-operator\.ts$|scripts\/|local\/)/,
}

/** What only some files may say: clock, chance, environment and console have one door each. */
const WORD_DOORS: readonly (readonly [word: string, pattern: RegExp, files: RegExp])[] = [
  ['Date.now', /\bDate\s*\.\s*now\b/, /^shared\/clock\.ts$/],
  ['new Date()', /\bnew\s+Date\s*(?:\(\s*\)|(?=[;,)\n]))/, /^$/],
  [
    'performance.now',
    /\bperformance\s*\.\s*now\b/,
    /^shared\/(?:health|http\/(?:edge|load-gate)|pubsub\/event-edge)\.ts$|^functions\/[^/]+\/wiring\.ts$/,
  ],
  ['process.env', /\bprocess\s*(?:\.\s*env\b|\[)/, /^functions\/[^/]+\/index\.ts$/],
  ['console', /\bconsole\s*[.[]/, /^$/],
  ['process.stdout', /\bprocess\s*\.\s*std(?:out|err)\b/, /^shared\/log\.ts$/],
  ['Math.random', /\bMath\s*\.\s*random\b/, /^$/],
  ['randomUUID', /\brandom(?:UUID|Bytes|Int|FillSync)\b|\bgetRandomValues\b/, /^shared\/ids\.ts$/],
  [
    'setTimeout',
    /\bset(?:Timeout|Interval|Immediate)\b/,
    /^shared\/(?:deadline\.ts$|http\/(?:drain|linger|load-gate|shed)\.ts$|testing\/)/,
  ],
  ['eval', /\beval\s*\(|\bnew\s+Function\s*\(/, /^$/],
]

const FORM: readonly (readonly [rule: string, pattern: RegExp])[] = [
  ['no default exports', /^\s*export\s+default\b|\bas\s+default\b/m],
  ['no enums', /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/m],
  ['no any', /(?:\bas\s+|:\s*|<|\|\s*|&\s*)any\b(?!\s*\()/],
  ['no non-null assertions', /[\w)\]]!(?=[.,;)\]\s[}]|$)(?!\s*=)/m],
  [
    'no classes but errors and proofs',
    /^\s*(?:export\s+)?(?:abstract\s+)?class\s+(?!\w+\s+extends\s+Error\b)\w+/m,
  ],
]

/** The few classes that are no errors: their private members are what makes a proof. */
const CLASSES = /^shared\/(?:tenancy\/(?:proofs|context)|firestore\/values)\.ts$/

/** Everything a source file does that the design forbids. Paths are relative to the repository. */
export function violationsOf(file: string, source: string): Violation[] {
  const ours = file.startsWith('functions/') || file.startsWith('shared/')
  const code = withoutComments(source)
  const found: Violation[] = []
  const report = (rule: string, what: string): void => void found.push({ file, rule, found: what.trim() })
  if (source.split('\n').length - 1 > 300)
    report('files of at most 300 lines', `${source.split('\n').length - 1} lines`)
  for (const [word] of source.matchAll(/\b(?:TODO|FIXME|XXX|HACK)\b/g)) report('no notes to self', word)
  if (!ours) return found
  const bare = withoutTexts(code)
  for (const [word, pattern, files] of WORD_DOORS) {
    if (pattern.test(bare) && !files.test(file)) report(`${word} has its door`, pattern.exec(bare)?.[0] ?? '')
  }
  for (const [rule, pattern] of FORM) {
    if (rule.startsWith('no classes') && CLASSES.test(file)) continue
    const match = pattern.exec(bare)
    if (match !== null) report(rule, match[0])
  }
  for (const entry of importsOf(code)) {
    for (const rule of importRules(file, entry)) report(rule, entry.module)
    for (const name of entry.names) {
      const door = NAME_DOORS[name]
      if (door !== undefined && !door.test(file)) report(`${name} is not for everyone`, entry.module)
    }
  }
  return found
}

type Import = { readonly module: string; readonly names: readonly string[] }

function importsOf(code: string): Import[] {
  const statements = code.matchAll(/\b(?:import|export)\b([^'"`;()=]*?)\bfrom\s*['"]([^'"]+)['"]/g)
  const bare = code.matchAll(/\bimport\s*\(?\s*['"]([^'"]+)['"]/g)
  return [
    ...[...statements].map(([, clause = '', module = '']) => ({ module, names: clause.match(/\w+/g) ?? [] })),
    ...[...bare].map(([, module = '']) => ({ module, names: [] })),
  ]
}

function importRules(file: string, { module }: Import): string[] {
  const broken: string[] = []
  for (const [pattern, files] of MODULE_DOORS) {
    if (pattern.test(module) && !files.test(file)) broken.push('SDKs have their door')
  }
  const target = module.startsWith('.') ? normalize(join(dirname(file), module)) : module.replace(/^#/, '')
  if (/^(?:local|test|scripts|bench)\//.test(target))
    broken.push('what is deployed imports nothing of the local stack, tests or scripts')
  if (/^@?\w/.test(module) && module.startsWith('vitest'))
    broken.push('what is deployed imports nothing of tests')
  if (module.startsWith('.') && !module.endsWith('.ts')) broken.push('relative imports carry .ts')
  if (file.startsWith('shared/')) {
    if (target.startsWith('functions/')) broken.push('shared imports no function')
    return broken
  }
  const [, folder = '', ...rest] = file.split('/')
  const layer = layerOf(rest)
  if (target.startsWith('functions/')) {
    const [, otherFolder = '', ...otherRest] = target.split('/')
    if (otherFolder !== folder) broken.push('a function never imports another')
    else if (LAYERS[layer]?.includes(layerOf(otherRest)) !== true)
      broken.push(`${layer} may not import ${layerOf(otherRest)}`)
  } else if (layer === 'domain' && !PURE_SHARED.test(module) && !PURE_PACKAGES.includes(module)) {
    broken.push('the domain is pure')
  }
  return broken
}

function layerOf(rest: readonly string[]): string {
  const [first = ''] = rest
  const name = first.replace(/\.ts$/, '')
  return rest.length === 1 && name.endsWith('-reply') ? 'reply' : name
}

/** The source without comments; what stands in texts stays. */
function withoutComments(source: string): string {
  return source.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[dgimsuvy]*(?=\s*[.,;)\]\n]))|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (_all, kept: string | undefined) => kept ?? ' ',
  )
}

/** The code without what stands in quotes and expressions; in templates, what is computed stays. */
function withoutTexts(code: string): string {
  return code
    .replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, "''")
    .replace(/\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[dgimsuvy]*(?=\s*[.,;)\]\n])/g, '/x/')
}
