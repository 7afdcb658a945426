import { parseArgs } from 'node:util'
import { GROUPS, type Group } from '#shared/catalogue/functions.ts'
import { TOPIC_NAMES, type TopicName } from '#shared/contracts/topics.ts'

export const HELP = `Usage: npm run energent -- quarantine <list|show|redrive|discard> --group GROUP [ID ...] [options]
       npm run energent -- dead-letters <list|show|redrive|discard> --topic TOPIC [ID ...] [options]

Quarantine holds messages that a function refused for good, each with the reason. Dead letters are
messages that failed so often that Pub/Sub gave up. Both wait until somebody decides.

  list       What is there.
  show       One of them with its payload; it may hold personal data.
  redrive    Send it to its topic again, as it came. An event that had its effect already has none again.
  discard    Give it up for good.

Which
  ID ...             These, by the ids that list prints; of dead letters also those of the HTTP API.
  --all              All that list shows with the same options, 1,000 at most in a run.
  --group GROUP      ${GROUPS.join(', ')}
  --topic TOPIC      ${TOPIC_NAMES.join(', ')}
  --tenant ID        Only this tenant's.
  --code CODE        Only refused with this code (quarantine).
  --status STATUS    waiting (default), redriven, discarded or awaiting-tenant (quarantine list).
  --limit N          At most so many.

How
  --dry-run          Say what would be done, and do nothing.
  --json             Print one JSON value.
  --stack            Work on the local stack that runs now: its addresses are in .local/stack.json.
  --data DIR         Where that stack keeps its files, if not in .local.
  --project ID       The Google Cloud project. Default: GOOGLE_CLOUD_PROJECT.
  --help             Print this.

Without --stack it works with Google's application default credentials, or in a project whose id starts
with demo- with FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST and SECRET_MANAGER_EMULATOR_HOST. They need
access to Firestore and Pub/Sub. Everything but list and show is written to the audit.

It ends with 0 when all was done, 1 when something was refused or failed, 2 when it was asked wrongly.
docs/runbooks/redrive.md says when to do what.`

const STATUSES = ['waiting', 'redriven', 'discarded', 'awaiting-tenant'] as const
const ACTIONS = {
  quarantine: ['list', 'show', 'redrive', 'discard'],
  'dead-letters': ['list', 'show', 'redrive', 'discard'],
} as const

type Area = keyof typeof ACTIONS

/** What is wanted, checked. */
export type Wanted = {
  readonly action: 'list' | 'show' | 'redrive' | 'discard'
  readonly ids: readonly string[]
  readonly all: boolean
  readonly tenant: string | undefined
  readonly code: string | undefined
  readonly status: (typeof STATUSES)[number]
  readonly limit: number
  readonly dryRun: boolean
  readonly json: boolean
  readonly stack: boolean
  readonly dataDir: string
  readonly project: string | undefined
} & (
  | { readonly area: 'quarantine'; readonly group: Group }
  | { readonly area: 'dead-letters'; readonly topic: TopicName }
)

const MOST = 1_000

/** Whether a command line is one of these; the rest is somebody else's. */
export function isRedriveCommand(args: readonly string[]): boolean {
  return args[0] !== undefined && args[0] in ACTIONS
}

/** Reads a command line; a text says what is wrong with it. */
export function readArguments(args: readonly string[]): Wanted | 'help' | string {
  try {
    return check(args)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function check(args: readonly string[]): Wanted | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      group: { type: 'string' },
      topic: { type: 'string' },
      tenant: { type: 'string' },
      code: { type: 'string' },
      status: { type: 'string' },
      limit: { type: 'string' },
      project: { type: 'string' },
      data: { type: 'string', default: '.local' },
      all: { type: 'boolean', default: false },
      stack: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [name = '', verb = '', ...ids] = positionals
  if (values.help || verb === '') return 'help'
  const area: Area = name === 'quarantine' ? 'quarantine' : 'dead-letters'
  const action = oneOf(`${area} can`, verb, ACTIONS[area])
  const changes = action === 'redrive' || action === 'discard'
  if (action === 'list' && ids.length > 0) throw new Error('list takes no ids; show prints one entry.')
  if (action === 'show' && ids.length !== 1) throw new Error('show takes one id.')
  if (changes && ids.length === 0 && !values.all) throw new Error(`${action} needs ids, or --all.`)
  if (changes && ids.length > 0 && values.all) throw new Error(`${action} takes ids or --all, not both.`)
  if (values.status !== undefined && action !== 'list') throw new Error('--status is for list.')
  const common = {
    action,
    ids,
    all: values.all,
    tenant: values.tenant,
    code: values.code,
    status: oneOf('--status is one of', values.status ?? 'waiting', STATUSES),
    limit: limitOf(values.limit),
    dryRun: values['dry-run'],
    json: values.json,
    stack: values.stack,
    dataDir: values.data,
    project: values.project,
  }
  if (area === 'quarantine') {
    if (values.topic !== undefined) throw new Error('quarantine takes --group, not --topic.')
    return { ...common, area, group: oneOf('--group is one of', values.group, GROUPS) }
  }
  if (values.group !== undefined) throw new Error('dead-letters takes --topic, not --group.')
  if (values.code !== undefined || values.status !== undefined) {
    throw new Error('--code and --status are for quarantine: dead letters have neither.')
  }
  const topic = oneOf('--topic is one of', values.topic, TOPIC_NAMES)
  // `{topic}_{id}` is how the HTTP API names them.
  const own = ids.map((id) => (id.startsWith(`${topic}_`) ? id.slice(topic.length + 1) : id))
  return { ...common, ids: own, area, topic }
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return MOST
  const limit = Number(text)
  if (/^[1-9]\d{0,3}$/.test(text) && limit <= MOST) return limit
  throw new Error(`--limit must be a number from 1 to ${MOST}.`)
}

function oneOf<const T extends string>(what: string, value: string | undefined, known: readonly T[]): T {
  const found = known.find((candidate) => candidate === value)
  if (found !== undefined) return found
  throw new Error(`${what} ${known.join(', ')}${value === undefined ? '' : `; not '${value}'`}.`)
}
