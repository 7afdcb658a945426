import { canonicalJson } from '#shared/json.ts'
import type { Story } from './story.ts'
import { type Ground, objectsOf } from './world.ts'

/** Facts about how the way was, and not about where it led. */
const OF_THE_WAY = ['drift-detected', 'drift-corrected', 'operation-stuck', 'step-completed']

/** How everything ended, as text: equal for two runs that came to the same, by whatever detours. */
export function endOf(ground: Ground): string {
  const { documents, others, leaving } = ground
  const rest = canonicalJson(
    normal({
      tenants: [...documents.tenants.values()],
      // Where it turned round depends on where it was then, and says nothing about where it led.
      operations: [...documents.operations.values()].map(({ kind, status, failure }) => ({
        ...{ kind, status, failure: failure?.code ?? null },
      })),
      facts: factsOf(ground),
      timers: [...documents.timers.values()],
      tombstones: [...documents.tombstones],
      certificates: [...leaving.certificates.keys()],
      cloud: cloudOf(ground),
      // Parts of an export may come after it was cut short; they go with the next one, or with the tenant.
      archives: leaving.versions
        .map(({ name }) => name)
        .filter((name) => name.endsWith('.tar.gz'))
        .sort(),
      accounts: [...others.accounts].map(([tenantId, { charges, freeze }]) => ({
        ...{ tenantId, charges, frozen: freeze !== null },
      })),
      keeps: [...others.keeps]
        .filter(([, groups]) => groups.size > 0)
        .map(([tenantId, groups]) => [tenantId, [...groups].sort()]),
    }),
  )
  // The many objects are made by one function each, so that their members have one order already.
  const objects = [...objectsOf(ground)]
    .filter(([path, live]) => !isGoingPod(path, live.terminating))
    .map(([path, { body }]) => `${path} ${JSON.stringify(body)}`)
  return `${rest}\n${nameless(objects.sort().join('\n'))}`
}

/** The kinds of the facts that were said, in their order. */
export function factsOf({ documents }: Ground): string[] {
  return documents.outbox
    .filter(({ topic }) => topic === 'tenant-facts')
    .map(({ event }) => event.type.replace(/^ai\.energent\.tenant\.(.*)\.v1$/, '$1'))
    .filter((kind) => !OF_THE_WAY.includes(kind))
}

/** What must be so at the end of a story, however it is told. */
export function checkEnd(ground: Ground, story: Story): string[] {
  const { documents } = ground
  const wrong: string[] = []
  const [tenant] = documents.tenants.values()
  const state = tenant?.state ?? (documents.tombstones.size > 0 ? 'PURGED' : '-')
  if (story.ends !== '' && !story.ends.split(' ').includes(state))
    wrong.push(`it ends ${state}, not ${story.ends}`)
  if (tenant?.namespaceUid) {
    const live = [...objectsOf(ground)].find(([path]) =>
      path.endsWith(`Namespace//tenant-${tenant.tenantId}`),
    )
    if (live?.[1].uid !== tenant.namespaceUid) wrong.push('the namespace is not the one that was recorded')
  }
  const archive = tenant?.export
  if (archive) {
    const kept = ground.leaving.versions.some(({ name, live }) => live && name === archive.object)
    if (!kept) wrong.push('the archive is not there')
  }
  const terminating = [...objectsOf(ground)].find(
    ([path, live]) => live.terminating && !isGoingPod(path, live.terminating),
  )
  if (terminating !== undefined) wrong.push(`${terminating[0]} is still being deleted`)
  return wrong
}

function cloudOf({ cloud }: Ground): object {
  return {
    keys: [...cloud.keys].map(([tenantId, { primary, versions }]) => ({ tenantId, primary, versions })),
    secrets: [...cloud.secretsByName].map(([name, { readers }]) => ({ name, readers: [...readers] })).sort(),
    machines: [...cloud.machines].map(([name, { tenantId, goneAtMs }]) => ({ name, tenantId, goneAtMs })),
    fleet: [...cloud.fleet],
  }
}

/** The text without operations, times and objects that have another name in each run. */
function nameless(text: string): string {
  return text
    .replaceAll(/\bop_[0-9A-Z]{26}\b/g, 'an operation')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'a time')
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'a digest')
    .replaceAll(/,"uid":"uid-\d+"/g, '')
    .replaceAll(/"energent.ai\/spec-rev":"\d+"/g, '"energent.ai/spec-rev":"one"')
}

/** A pod goes by itself once it was asked to; who else must be gone is looked for by a step. */
function isGoingPod(path: string, terminating: boolean): boolean {
  return terminating && path.includes(' Pod/')
}

/** Of the way, and so different in each run. */
const LEFT_OUT = new Set([
  ...['revision', 'specRevision', 'factSequence', 'fence'],
  ...['operationId', 'uid', 'namespaceUid', 'holders'],
  // Of an archive: it names the operation and holds the way there.
  'sha256',
])

/** The value without what names a moment, a try or an operation. */
function normal(value: unknown): unknown {
  if (typeof value === 'number') return value > 1e12 ? 'a time' : value
  if (typeof value === 'string') return nameless(value)
  if (Array.isArray(value)) return value.map(normal)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key]) => !LEFT_OUT.has(key))
  return Object.fromEntries(kept.map(([key, member]) => [key, normal(member)]))
}
