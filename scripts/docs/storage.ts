import { GROUPS, type Group } from '#shared/catalogue/functions.ts'
import { DOCUMENTS } from '#shared/firestore/documents.ts'
import { COMPOSITE_INDEXES, TTL_POLICIES, UNINDEXED_FIELDS } from '#shared/firestore/indexes.ts'
import { SYSTEM_COLLECTIONS } from '#shared/firestore/paths.ts'
import { code, MADE, page, table } from './page.ts'

/** `docs/storage.md`: where everything is in Firestore, who writes it, how long it stays. */
export function renderStorage(): string {
  return page([
    '# Storage',
    MADE,
    '',
    'Everything is in one Firestore database. A tenant’s documents lie below `tenants/{tenantId}`, in',
    'collections that begin with the name of the one group that writes them; code of another group cannot',
    'name them, and none can name another tenant’s. An id is `[A-Za-z0-9][A-Za-z0-9_-]{0,127}`: what comes',
    'from outside is hashed first. Clients have no access at all (`firestore.rules`). Firestore’s own IAM',
    'ends at the database, so the wall between the groups is the library and the test of its architecture.',
    '',
    '## Documents',
    '',
    ...GROUPS.flatMap(documentsOf),
    '## Collections that belong to no tenant’s tree',
    '',
    ...GROUPS.map((group) => `* ${group}: ${SYSTEM_COLLECTIONS[group].map(code).join(', ')}`),
    '',
    'What there is about a tenant in them carries `tenantId` as a field. `tenantAudit/{tenantId}` lies',
    'outside the tenant, so that a purge cannot reach it.',
    '',
    ...rules(),
    ...indexes(),
  ])
}

function documentsOf(group: Group): string[] {
  const rows = DOCUMENTS.filter((document) => document.writer === group).map((document) => [
    code(document.path),
    document.written ? document.holds : `${document.holds} (name kept, nothing written yet)`,
    document.readers === '' ? 'nobody' : document.readers,
  ])
  return [`### Written by ${group}`, '', ...table(['Path', 'Holds', 'Who else reads'], rows)]
}

function rules(): string[] {
  return [
    '## How it is written',
    '',
    'A change, its audit, the events it publishes (`…_outbox`) and the claim of what caused it (`…_inbox`)',
    'are one atomic commit. Every update names the version it read, every one-time create must find',
    'nothing, and each document keeps the `commitId` that wrote it last: after a lost answer, reading it',
    'tells whether the commit took effect. Numbers beyond 2^53 are stored as integers and read exactly.',
    '',
  ]
}

function indexes(): string[] {
  const composite = COMPOSITE_INDEXES.map((index) => [
    code(index.collectionGroup),
    index.fields
      .map(({ fieldPath, order }) => `${code(fieldPath)} ${order === 'ASCENDING' ? 'up' : 'down'}`)
      .join(', '),
    index.neededBy,
  ])
  const ttl = TTL_POLICIES.map((policy) => [code(policy.collectionGroup), code(policy.field), policy.kept])
  const unindexed = Map.groupBy(UNINDEXED_FIELDS, ({ collectionGroup }) => collectionGroup)
  return [
    '## Indexes',
    '',
    '`firestore.indexes.json` is made from the same tables. Indexes of a single field are automatic. The',
    'local engine refuses a query whose index is missing, as production does; Google’s emulator does not.',
    '',
    ...table(['Collection', 'Fields', 'Needed by'], composite),
    'These fields have no index at all, so that a write does not pay for what nobody asks for; nor have',
    'those that hold when a document expires.',
    '',
    ...table(
      ['Collection', 'Fields'],
      [...unindexed].map(([group, fields]) => [
        code(group),
        fields.map(({ field }) => code(field)).join(', '),
      ]),
    ),
    '## How long it stays',
    '',
    'Firestore deletes a document within a day after the moment in its field. What is not listed stays.',
    '',
    ...table(['Collection', 'Field', 'Kept'], ttl),
  ]
}
