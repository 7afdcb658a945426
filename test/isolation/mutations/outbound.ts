// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is searched for is source text
import { type Mutation, mutationsOf } from './mutation.ts'

const GUARD = 'test/auth/adapters/guarded-fetch.test.ts'
const ADDRESSES = 'test/auth/domain/special-addresses.test.ts'
const KEYS = 'test/auth/domain/admit-jwk.test.ts'
const FETCHED = 'test/auth/adapters/foreign-keys.test.ts'
const VECTORS = 'test/auth/wycheproof/wycheproof.test.ts'
const FOREIGN = 'test/shared/tokens/foreign-jwt.test.ts'
const WORKLOADS = 'test/auth/exchange-workload.test.ts'
const PEOPLE = 'test/auth/exchange-enterprise.test.ts'

/** What others configure, publish and sign: calls to them, their keys, their tokens. */
export const OUTBOUND: readonly Mutation[] = [
  ...mutationsOf(
    'functions/auth/adapters/guarded-fetch.ts',
    [GUARD],
    [
      ['the demo projects', 'isDemoProject(config.GOOGLE_CLOUD_PROJECT)', 'true'],
      ['the ban on credentials', "if (url.username !== '' || url.password !== '')", 'if (false)'],
      ['the scheme', "if (url.protocol !== 'https:')", 'if (false)'],
      ['the port', "if (port !== '443')", 'if (false)'],
      ['the inner names', "!host.includes('.') || INNER_NAMES.test(host)", "!host.includes('.')"],
      ['names of one word', "!host.includes('.') || INNER_NAMES.test(host)", 'INNER_NAMES.test(host)'],
      ['the addresses of a name', 'for (const { address } of addresses) requirePublic(address)', ''],
      [
        'the address of the socket',
        "if (!target.open) socket.once('connect'",
        "if (false) socket.once('connect'",
      ],
      ['the methods', 'if (!METHODS.includes(method))', 'if (false)'],
      ['the ban on redirects', 'if (status >= 300 && status < 400 && status !== 304)', 'if (false)'],
      ['the ban on compression', "if (encoding.toLowerCase() !== 'identity')", 'if (false)'],
      ['the limit on the way', 'if (size > maxBytes)', 'if (false)'],
      ['the certificate', 'rejectUnauthorized: true', 'rejectUnauthorized: false'],
      ['its own headers', '([name]) => !OWN_HEADERS.includes(name.toLowerCase()),', '() => true,'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/domain/special-addresses.ts',
    [ADDRESSES],
    [
      ['what is not global', "if (six >> 125n !== 1n) return 'not global unicast'", ''],
      [
        'tunnels in the interface part',
        'return ISATAP.includes((six >> 32n) & 0xffff_ffffn)',
        'return false',
      ],
      ['octal numbers', "parts.some((part) => part.length > 1 && part.startsWith('0'))", 'false'],
      ['numbers over 255', 'octets.some((octet) => octet > 255)', 'false'],
      ['the metadata server', "'169.254.0.0/16': 'link-local',", ''],
      ['6to4', "'2002::/16': '6to4',", ''],
    ],
  ),
  ...mutationsOf(
    'shared/tokens/admit-jwk.ts',
    [KEYS],
    [
      [
        'private members',
        "if (secret !== undefined || members['kty'] === 'oct')",
        "if (members['kty'] === 'oct')",
      ],
      ['the use', "use !== undefined && use !== 'sig'", 'false'],
      ['key_ops', "return verifies ? undefined : 'key_ops is not verify alone'", 'return undefined'],
      ['the sizes of coordinates', 'bytesOf(x)?.length !== bytes || bytesOf(y)?.length !== bytes', 'false'],
      ['points of small order', 'if (isSmallOrder(point))', 'if (false)'],
      [
        'the one spelling',
        "return bytes.toString('base64url') === value ? bytes : undefined",
        'return bytes',
      ],
      ['secrets in a set', "return refused('a key of the set is not public')", 'continue'],
      ['one kid for one key', 'if (new Set(ids).size !== ids.length)', 'if (false)'],
      ['the number of keys', 'if (list.length > MOST_KEYS)', 'if (false)'],
      [
        'a choice among keys',
        'return fitting.length === 1 ? fitting[0]?.key : undefined',
        'return fitting[0]?.key',
      ],
      ['the algorithm of a key', 'algs.includes(wanted.alg) && ', ''],
    ],
  ),
  ...mutationsOf(
    'shared/tokens/rsa-modulus.ts',
    [KEYS, VECTORS],
    [
      ['leading zeros', "if (modulus[0] === 0 || exponent[0] === 0) return 'leading zeros'", ''],
      ['the exponent', "if (e < LEAST_EXPONENT || e % 2n === 0n) return 'exponent'", ''],
      ['small factors', 'haveCommonFactor(PRODUCT_OF_SMALL_PRIMES, n % PRODUCT_OF_SMALL_PRIMES)', 'false'],
      [
        'the broken generator',
        "return marked ? 'made by a broken generator' : undefined",
        'return undefined',
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/adapters/foreign-keys.ts',
    [FETCHED],
    [
      ['the owner of a copy', '`${origin.scope}\\0${origin.jwksUri}`', 'origin.jwksUri'],
      ['the pause after an unknown key', '!isOlder(lastAsked(entry), UNKNOWN_KEY_MS, nowMs)', 'false'],
      ['the pause after a failure', ' && isOlder(entry.failedAtMs, FAILED_MS, nowMs)', ''],
      [
        'the end of a copy',
        'keys === undefined || isOlder(fetchedAtMs, STALE_MS, nowMs)',
        'keys === undefined',
      ],
    ],
  ),
  ...mutationsOf(
    'shared/json.ts',
    ['test/shared/json.test.ts'],
    [['the byte order mark', 'fatal: true, ignoreBOM: true', 'fatal: true']],
  ),
  ...mutationsOf(
    'shared/tokens/foreign-jwt.ts',
    [FOREIGN],
    [
      ['the header members', 'if (extra !== undefined) return', 'if (false) return'],
      ['the depth', 'value.ok && checkJson(value.value, MOST_DEPTH).ok', 'value.ok'],
      [
        'the kind of kid',
        "kid !== undefined && !(typeof kid === 'string'",
        "false && !(typeof kid === 'string'",
      ],
      ['the future', 'if (iat > now + SKEW_SECONDS)', 'if (false)'],
      ['nbf', 'if (nbf !== undefined && nbf > now + SKEW_SECONDS)', 'if (false)'],
      ['the end', 'if (exp + SKEW_SECONDS <= now)', 'if (false)'],
      ['the longest life', 'exp <= iat || exp - iat > longestLifeSeconds', 'exp <= iat'],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/exchange/enterprise-user.ts',
    [PEOPLE],
    [
      ['the status of a connection', "one.status === 'active' && ", ''],
      ['the audience', ' && isIssuedTo(payload, one.clientId)', ''],
      ['the watermark', 'verified.value.issuedAt <= Math.max(notBefore, request.notBefore)', 'false'],
      ['who asked for it', ' && (azp === undefined || azp === clientId)', ''],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/exchange/workload.ts',
    [WORKLOADS],
    [
      [
        'the cluster of a binding',
        'const bound = { cluster: cluster.cluster, ns, sa }',
        "const bound = { cluster: 'energent-shared', ns, sa }",
      ],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/exchange-workload-token.ts',
    [WORKLOADS],
    [
      ['the state of the tenant', "if (ACCESS_BY_STATE[state.status].kind === 'none')", 'if (false)'],
      ['the rate', 'if (!counted.ok) return counted', ''],
    ],
  ),
  ...mutationsOf(
    'functions/auth/operations/keep-bindings.ts',
    [WORKLOADS],
    [['the revocation', "revoke('client', clientId),", '']],
  ),
]
