import { REFUSAL_HELP, type RefusalHelp } from '#shared/refusal-help.ts'

/** What a failure code of an operation's step means, and what an operator does about it. */
export type FailureHelp = {
  readonly meaning: string
  readonly remedy: string
}

const NOTHING = 'Nothing: it is tried again by itself.'
const CORRECT = 'Correct what the text of the step says, then retry the operation.'

/**
 * The codes an operation shows beside its steps (`lastError.code`, `failure.code`). Those of a cluster
 * are its own reasons in our spelling, `cluster.status_` and the number where it gave none; billing
 * answers with a code of `REFUSALS`.
 */
export const FAILURE_CODES = {
  'placement.cluster_foreign': help(
    'A cluster or membership of the name wanted exists and does not carry the tenant’s label; it is left alone.',
    'Find out whose it is. Remove it, or label it `tenant-id`, then retry the operation.',
  ),
  'placement.cluster_failed': help(
    'The dedicated cluster could not be made in three tries.',
    'Look at the operations of the Container API: quota, capacity and network of the region. Then retry.',
  ),
  'placement.membership_missing': help(
    'The customer’s cluster is not registered in the fleet.',
    'Have it registered under the name and with the label that the text of the step says.',
  ),
  'placement.cluster_unknown': help(
    'The tenant is on a cluster that this deployment has no way to.',
    'Set the address of that cluster; a tenant is never moved by a change of settings.',
  ),
  'operation.superseded': help(
    'A later order took its place; what it had begun was undone.',
    'Nothing. The operation that took its place is in the list of operations.',
  ),
  'step.threw': help('Something failed that nobody foresaw; the log has the stack.', NOTHING),
  'cluster.unreachable': help(
    'The Kubernetes API did not answer, or not in a way that can be read.',
    'Nothing for minutes; after that look at `/health/tenants` and the VPC connector.',
  ),
  'cluster.read_back_differs': help(
    'What was applied reads differently: something in the cluster changes it.',
    'If it stays, find the webhook or controller that changes our objects.',
  ),
  'cluster.stale_revision': help(
    'An object carries a higher `energent.ai/spec-rev` than the tenant: the executor is late, or somebody wrote it by hand.',
    'If it stays, reconcile the tenant, which takes a revision above what is found, as any operation does that runs; retry one that is stuck.',
  ),
  'cluster.namespace_terminating': help('The namespace is being deleted.', NOTHING),
  'cluster.namespace_missing': help(
    'Somebody deleted the namespace of the tenant, with its data.',
    'Find out who. Reconcile the tenant, which makes the namespace anew, restore its backup, then order the change anew. A tenant that comes to no rest is suspended first, which needs no namespace.',
  ),
  'cluster.namespace_foreign': help(
    'A namespace of the name wanted exists and does not carry our labels; it is left alone.',
    'Find out whose it is. Remove it, or choose another tenant id.',
  ),
  'tier.storage_in_use': help(
    'The tenant stores more than the other tier holds.',
    'Have the tenant delete files; once they are measured again, order the change anew.',
  ),
  'tier.slots_in_use': help(
    'Workflows of the tenant did not end in time for the smaller tier.',
    'Order the change anew when they have ended; nothing of theirs was stopped.',
  ),
  'tier.pods_in_use': help(
    'Pods of the tenant that the smaller tier has no room for did not go in time.',
    'Have the tenant stop them, or look why Flux does not, and order the change anew.',
  ),
  'isolation.access': help(
    'A service account of the tenant may do something it must not, or may not do what it must.',
    'Look at the role bindings of the cluster and of the namespace; the text names the right.',
  ),
  'isolation.foreign_object': help(
    'A network policy or role binding beside ours opens what ours close.',
    'Find out who put it there and remove it, then retry the operation.',
  ),
  'volume.retained': help(
    'A volume of the tenant is kept by its reclaim policy and will never be deleted by itself.',
    'Delete the share behind it and then the volume, or set its reclaim policy to Delete.',
  ),
  'volume.failed': help(
    'The storage driver could not delete a volume of the tenant.',
    'Look at the events of the volume; delete the share behind it by hand if need be.',
  ),
  'cluster.unauthorized': help(
    'The cluster does not know our token.',
    'Look at the account of the function.',
  ),
  'cluster.forbidden': help(
    'A role is missing, an admission policy refuses, or the quota of the namespace is full.',
    CORRECT,
  ),
  'cluster.not_found': help('The cluster does not know what was addressed.', CORRECT),
  'cluster.already_exists': help('An object of this name is there, or still on its way out.', NOTHING),
  'cluster.conflict': help('Somebody else changed the object at the same time.', NOTHING),
  'cluster.gone': help('What was addressed no longer exists.', CORRECT),
  'cluster.expired': help('The cluster no longer has the version that was asked for.', NOTHING),
  'cluster.invalid': help('The cluster finds an object invalid.', CORRECT),
  'cluster.bad_request': help('The cluster cannot read what was sent.', CORRECT),
  'cluster.method_not_allowed': help('The cluster does not do this to such an object.', CORRECT),
  'cluster.not_acceptable': help('The cluster cannot answer in the form asked for.', CORRECT),
  'cluster.request_entity_too_large': help('An object is larger than the cluster takes.', CORRECT),
  'cluster.unsupported_media_type': help('The cluster does not know this kind of patch.', CORRECT),
  'cluster.too_many_requests': help('The cluster asks us to slow down.', NOTHING),
  'cluster.server_timeout': help('The cluster gave up on the call.', NOTHING),
  'cluster.timeout': help('The cluster gave up on the call.', NOTHING),
  'cluster.service_unavailable': help('The cluster is unwell.', NOTHING),
  'cluster.internal_error': help('The cluster failed, or an object does not fit its schema.', CORRECT),
  'purge.documents_left': help(
    'Somebody keeps documents of a tenant that is purged; the text counts them by collection.',
    'Find out who writes them: the first part of the name is the group. They must be gone before a certificate says so.',
  ),
  'purge.objects_left': help(
    'An object was written for a tenant that is purged; it was deleted again.',
    NOTHING,
  ),
  'export.part_damaged': help(
    'A part of an export is not what its writer said it was.',
    'Order the export anew; if it happens again, look at the bucket for other writers.',
  ),
  'export.no_bucket': help(
    'There is no bucket to export to.',
    'Set STORAGE_BUCKET and order the export anew.',
  ),
  'cloud.unreachable': help(
    'A service of Google Cloud did not answer, or not in a way that can be read.',
    'Nothing for minutes; after that look at the status of the service and at the VPC connector.',
  ),
  'cloud.read_back_differs': help(
    'What was written to a service of Google Cloud reads differently.',
    NOTHING,
  ),
  'cloud.secret_foreign': help(
    'A secret of the name wanted exists and does not carry the tenant’s label; it is left alone.',
    'Find out whose it is. Remove it, or label it `tenant-id`, then retry the operation.',
  ),
  'cloud.quota_exceeded': help(
    'A quota of the project is used up.',
    'Ask for a higher one, or free what is not needed; it is tried again by itself.',
  ),
  'cloud.invalid_argument': help('A service of Google Cloud finds what was sent invalid.', CORRECT),
  'cloud.out_of_range': help('A service of Google Cloud finds what was sent invalid.', CORRECT),
  'cloud.unauthenticated': help(
    'Google Cloud does not know our token.',
    'Look at the account of the function.',
  ),
  'cloud.permission_denied': help(
    'The account of the function lacks a role; the text names the permission.',
    CORRECT,
  ),
  'cloud.not_found': help('Google Cloud does not know what was addressed.', CORRECT),
  'cloud.already_exists': help('It is there already; the next try looks whose it is.', NOTHING),
  'cloud.aborted': help('Somebody else changed it at the same time.', NOTHING),
  'cloud.failed_precondition': help('Something else is under way there.', NOTHING),
  'cloud.resource_exhausted': help('Google Cloud asks us to slow down.', NOTHING),
  'cloud.unavailable': help('A service of Google Cloud is unwell.', NOTHING),
  'cloud.internal': help('A service of Google Cloud failed.', NOTHING),
  'cloud.deadline_exceeded': help('A service of Google Cloud took too long.', NOTHING),
  'cloud.unimplemented': help('A service of Google Cloud does not know the call.', CORRECT),
  'cloud.unknown': help('A service of Google Cloud failed without saying how.', NOTHING),
  'cloud.cancelled': help('A call was given up before its answer.', NOTHING),
} as const satisfies Record<string, FailureHelp>

function help(meaning: string, remedy: string): FailureHelp {
  return { meaning, remedy }
}

/** What a code beside a step means and what to do: one of ours, or billing's refusal. */
export function helpFor(code: string): FailureHelp | undefined {
  if (Object.hasOwn(FAILURE_CODES, code)) return FAILURE_CODES[code as keyof typeof FAILURE_CODES]
  const refusals: Readonly<Record<string, RefusalHelp>> = REFUSAL_HELP
  return Object.hasOwn(refusals, code) ? refusals[code] : undefined
}
