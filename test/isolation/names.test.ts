import { expect, test } from 'vitest'
import { trespasses } from './support/names.ts'

// What the recorder is judged by must itself be able to say no.
const root = 'projects/p/databases/(default)/documents'
const get = (name: string) => ({ rpc: 'BatchGetDocuments', request: { documents: [`${root}/${name}`] } })
const query = (from: object, parent = root) => ({
  rpc: 'RunQuery',
  request: { parent, structuredQuery: { from: [from] } },
})
const write = (name: string, fields = {}) => ({
  rpc: 'Commit',
  request: { writes: [{ update: { name: `${root}/${name}`, fields } }] },
})
const acme = { tenants: ['acme'], verifying: 'globex' }

test.each([
  ["another tenant's document", get('tenants/initech/billing_tenant/current')],
  ["the tenant's own document, of the lifecycle alone", get('tenants/acme')],
  ["another group's collection", get('tenants/acme/auth_clients/c')],
  ['more of the verified tenant than its state', get('tenants/globex/auth_clients/c')],
  ['a write to the verified tenant', write('tenants/globex/auth_state/current')],
  ["another group's system collection", get('auth_outbox/x')],
  ['a collection of nobody', get('things/x')],
  ['a path up and over', get('tenants/acme/billing_x/../../globex/billing_x')],
  ['an id of the store’s own', get('tenants/acme/billing_x/__id7__')],
  ["another tenant's audit", write('tenantAudit/globex/billing_segments/x')],
  ["another group's audit", write('tenantAudit/acme/auth_segments/x')],
  ['all collections of a name', query({ collectionId: 'billing_usageBatches', allDescendants: true })],
  ['every document below a tenant', query({ allDescendants: true }, `${root}/tenants/acme`)],
  ['a query of no collection', { rpc: 'RunQuery', request: { parent: root, structuredQuery: {} } }],
  ['the list of tenants', query({ collectionId: 'tenants' })],
  ["another tenant's row", write('billing_outbox/x', { tenantId: { stringValue: 'globex' } })],
  [
    'a reference as a value',
    write('billing_outbox/x', {
      a: { mapValue: { fields: { b: { referenceValue: `${root}/tenants/globex` } } } },
    }),
  ],
  ['a deletion', { rpc: 'Commit', request: { writes: [{ delete: `${root}/tenants/globex/billing_x/y` }] } }],
])('%s is a trespass', (_name, call) => {
  expect(trespasses('billing', call, acme)).toHaveLength(1)
})

test.each([
  ['an own document', get('tenants/acme/billing_tenant/current')],
  ["the verified tenant's state", get('tenants/globex/auth_state/current')],
  ['an own row', write('billing_outbox/x', { tenantId: { stringValue: 'acme' } })],
  ['own audit', write('tenantAudit/acme/billing_segments/x')],
  ['an own query', query({ collectionId: 'billing_usageBatches' }, `${root}/tenants/acme`)],
  [
    'data that looks like a name',
    write('billing_outbox/x', { body: { stringValue: `${root}/tenants/globex` } }),
  ],
])('%s is none', (_name, call) => {
  expect(trespasses('billing', call, acme)).toEqual([])
})
