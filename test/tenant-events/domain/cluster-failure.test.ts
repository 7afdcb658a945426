import { expect, test } from 'vitest'
import { classifyClusterFailure } from '../../../functions/tenant-events/domain/cluster-failure.ts'

const cause = (reason: string) => [{ reason, message: '' }]

test.each([
  [400, 'BadRequest', 'x', [], 'permanent'],
  [401, 'Unauthorized', 'Unauthorized', [], 'permanent'],
  [403, 'Forbidden', 'cannot patch resource "secrets"', [], 'permanent'],
  [403, 'Forbidden', 'being terminated', cause('NamespaceTerminating'), 'wait'],
  [403, 'Forbidden', 'pods "w5" is forbidden: exceeded quota: tenant-compute', [], 'wait'],
  [404, 'NotFound', 'no', [], 'permanent'],
  [409, 'Conflict', 'the object has been modified', [], 'transient'],
  [409, 'Conflict', 'uid mismatch', [], 'transient'],
  [409, 'AlreadyExists', 'object is being deleted: namespaces "x" already exists', [], 'wait'],
  [422, 'Invalid', 'field is immutable', cause('FieldValueInvalid'), 'permanent'],
  [429, 'TooManyRequests', 'slow down', [], 'transient'],
  [
    500,
    '',
    'failed to create typed patch object (x): .spec.hrad: field not declared in schema',
    [],
    'permanent',
  ],
  [500, 'InternalError', 'etcdserver: request timed out', [], 'transient'],
  [503, 'ServiceUnavailable', '', [], 'transient'],
  [504, 'Timeout', '', [], 'transient'],
] as const)('%i %s (%s) is judged by what may help', (code, reason, message, causes, kind) => {
  expect(classifyClusterFailure({ code, reason, message, causes }).kind).toBe(kind)
})

test('the public code says what the server said, in our spelling', () => {
  const named = { code: 429, reason: 'TooManyRequests', message: '', causes: [], retryAfterMs: 1000 }
  expect(classifyClusterFailure(named)).toMatchObject({
    code: 'cluster.too_many_requests',
    retryAfterMs: 1000,
  })
  expect(classifyClusterFailure({ ...named, reason: '' }).code).toBe('cluster.status_429')
})

const FENCE =
  "ValidatingAdmissionPolicy 'tenant-events-fence' with binding 'tenant-events-fence' denied request"

test('an object with a higher revision than ours has a code of its own', () => {
  const refused = (message: string) =>
    classifyClusterFailure({ code: 422, reason: 'Invalid', message, causes: [] })
  const stale = `resourcequotas "x" is forbidden: ${FENCE}: stale spec-rev`
  expect(refused(stale)).toMatchObject({ kind: 'permanent', code: 'cluster.stale_revision' })
  expect(refused(`${FENCE}: another reason`).code).toBe('cluster.invalid')
  expect(refused('spec.x: Invalid value: "stale spec-rev"').code).toBe('cluster.invalid')
})
