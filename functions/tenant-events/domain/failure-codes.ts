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
  'placement.no_cluster': help(
    'The deployment model needs a cluster of its own, and there is none.',
    'Choose `multi_tenant`, or wait until dedicated clusters are offered.',
  ),
  'placement.cluster_unknown': help(
    'The tenant is on a cluster that this deployment has no way to.',
    'Set the address of that cluster; a tenant is never moved by a change of settings.',
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
  'cluster.namespace_terminating': help('The namespace is being deleted.', NOTHING),
  'cluster.namespace_foreign': help(
    'A namespace of the name wanted exists and does not carry our labels; it is left alone.',
    'Find out whose it is. Remove it, or choose another tenant id.',
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
} as const satisfies Record<string, FailureHelp>

function help(meaning: string, remedy: string): FailureHelp {
  return { meaning, remedy }
}
