import { BILLING_REFUSAL_HELP } from './refusal-help-billing.ts'
import { help, type RefusalHelp } from './refusal-help-text.ts'
import type { RefusalCode } from './refusals.ts'

export type { RefusalHelp }

/** One entry for each code of `REFUSALS`; the compiler asks for those of new codes. */
export const REFUSAL_HELP: Readonly<Record<RefusalCode, RefusalHelp>> = {
  'request.malformed': help(
    'The path, query, a header or the body is not what the route takes: bad escapes, something sent twice, JSON that does not parse or does not match. `detail` names the members.',
    'Correct the request; the same one will always be refused.',
  ),
  'request.too_large': help(
    'The body is longer than the route takes.',
    'Send less at once: usage in several batches.',
  ),
  'request.headers_too_large': help(
    'A header, or all of them together, are longer than accepted, or there are too many.',
    'Send fewer and shorter headers; a token has at most 8 KiB.',
  ),
  'request.timeout': help(
    'The connection was open and the request did not arrive whole.',
    'Send it again, at once and on a new connection.',
  ),
  'request.unsupported_media_type': help(
    'The `Content-Type` is not one the route takes, or the body is compressed.',
    'Send a type that `detail` names, without `Content-Encoding`.',
  ),
  'request.not_found': help('No route has this path.', 'Check the path against `api-spec.yaml`.'),
  'resource.not_found': help(
    'There is no such resource, or it is not yours to see: the two are answered alike on purpose.',
    'Check the ids and whose token you use.',
  ),
  'request.method_not_allowed': help(
    'The path exists and does not answer this method.',
    'Use one of the methods in `Allow`.',
  ),
  'request.idempotency_mismatch': help(
    'The `Idempotency-Key` was used within the last 24 hours with another body or for another tenant.',
    'Use a new key for a new request, and the very same body to repeat one.',
  ),
  'request.precondition_failed': help(
    'The resource is no longer at the revision that `If-Match` names.',
    'Read it again, decide again, and send its new `ETag`.',
  ),
  'caller.untrusted': help(
    'The call did not come from the account that may make it: the gateway, the scheduler or a push subscription.',
    'Call through the gateway. For operators: compare the accounts and audiences of `docs/configuration.md`.',
  ),
  'token.invalid': help(
    'The access token is missing, malformed, expired, revoked, or its tenant is in a state that allows none.',
    'Get a new token at `POST /oauth2/token`. If that is refused too, look at the state of the tenant.',
  ),
  'token.sign_in_too_old': help(
    'The token is good, and the person behind it signed in too long ago for an operation that gives lasting access or takes it from everybody.',
    'Let them sign in again, with the `max_age` that the `WWW-Authenticate` header names (RFC 9470), and use the new token.',
  ),
  'token.insufficient_scope': help(
    'The token is good and lacks the scope that `detail` names.',
    'Ask for a token with the scope; if it is refused, an administrator has to give it to the client.',
  ),
  'client.invalid': help(
    'The client id is unknown, its secret is wrong or expired, or its tenant is not active. Which of them is not said.',
    'Check the credentials; make a new client if the secret is lost.',
  ),
  'client.unauthorized': help(
    'The client is known and may not use this grant, or its tenant is suspended.',
    'Look at the state of the tenant; owners and administrators of a suspended one keep access to its bills.',
  ),
  'grant.invalid': help(
    'What was offered for the token is wrong, used or expired.',
    'Start the grant again.',
  ),
  'grant.unsupported': help(
    'The authorization server does not know this grant type.',
    'Use one of `grant_types_supported` in the server metadata.',
  ),
  'scope.invalid': help(
    'A scope is unknown or was not given to the client.',
    'Ask for fewer scopes, or for none to get all that the client has.',
  ),
  'target.invalid': help('The audience asked for is none of ours.', 'Leave it out, or name a known one.'),
  'dpop.invalid': help(
    'The proof in the DPoP header is missing, malformed, too old, used before, or for another URL, method or key.',
    'Make a new proof for each request, for the public URL, with a clock that is right.',
  ),
  'token.proof_invalid': help(
    'The access token is bound to a key, and the proof of that key is missing, used before or of another request.',
    'Send Authorization: DPoP with a new proof for this method, URL and token.',
  ),
  'client.not_yours': help(
    'Whoever decides how this client authenticates could be its owner, who is another person.',
    'Ask the person who answers for it, or delete it and make one of your own.',
  ),
  'client.no_secret': help(
    'The client authenticates by its own keys, or is public.',
    'Change its keys instead, or make another client.',
  ),
  'client.secret_limit_reached': help(
    'A client has at most two secrets that live: the current one and the one being replaced.',
    'Delete the old one, or rotate with overlapSeconds 0, which ends all others at once.',
  ),
  'client.secret_last': help(
    'Without this secret nobody could use the client.',
    'Rotate it with overlapSeconds 0, or disable or delete the client.',
  ),
  'api_key.limit_reached': help(
    'The tenant has as many API keys as its tier allows.',
    'Delete one or change the tier.',
  ),
  'exchange.token_refused': help(
    'The token that was offered for exchange is malformed, expired or revoked, comes from an issuer we do not trust for this tenant, is not meant for us, or its account is not bound. Which of them is not said.',
    'Get a new token for the audience in the server metadata; check the binding or the connection.',
  ),
  'binding.exists': help(
    'The service account has a binding in this tenant.',
    'Delete the binding first to give it other scopes.',
  ),
  'binding.limit_reached': help('A tenant can bind 100 accounts.', 'Delete bindings that are not used.'),
  'client.limit_reached': help(
    'The tenant has as many clients as its tier allows.',
    'Delete one or change the tier.',
  ),
  'user.disabled': help(
    'The person is known and was disabled, by an administrator or by the directory of their company.',
    'An administrator enables them again, here or in the directory.',
  ),
  'user.not_provisioned': help(
    'The connection lets in only who was invited or provisioned, and this person was not.',
    'Invite them, or let the directory provision them.',
  ),
  'user.last_owner': help(
    'The change would take the last owner from the tenant, and with it everybody who may end its contract.',
    'Make somebody else an owner first.',
  ),
  'role.unknown': help(
    'The role is neither one of the usual ones nor one of the tenant.',
    'Create the role first, or name one that is there.',
  ),
  'role.not_givable': help(
    'Nobody gives or takes a role that allows more than their own token does; `owner` is given and taken by owners alone.',
    'Ask somebody who holds it.',
  ),
  'role.required': help(
    'The scopes are enough, and this is for the tenant’s owners alone: it ends the contract, or takes that back.',
    'Ask an owner of the tenant.',
  ),
  'role.name_taken': help(
    'The name is that of a usual role, begins with `platform`, or the tenant has it already.',
    'Choose another name.',
  ),
  'role.in_use': help('The role cannot go while a user has it.', 'Take it from its users first.'),
  'role.limit_reached': help('A tenant has at most 50 roles of its own.', 'Delete one that nobody has.'),
  'scim.filter_invalid': help(
    'The filter does not follow RFC 7644 §3.4.2.2, is too long or too deep, or names what cannot be searched.',
    'Correct the filter; `detail` says where it ends to make sense.',
  ),
  'scim.path_invalid': help(
    'The path of a PATCH operation does not follow RFC 7644 §3.5.2.',
    'Correct the path of the operation.',
  ),
  'scim.no_target': help(
    'The path of a PATCH operation selects values that are not there, or none where one is needed.',
    'Read the resource and name what it has.',
  ),
  'scim.value_invalid': help(
    'A value is missing, of a wrong type, or too long.',
    'Compare it with the schema at `/scim/v2/{tenantId}/Schemas`.',
  ),
  'scim.syntax_invalid': help(
    'The message is not the SCIM message that the route takes.',
    'Send the message with its `schemas` member, as RFC 7644 shows it.',
  ),
  'scim.immutable': help('The attribute is set once, by us.', 'Leave the attribute out of the request.'),
  'scim.not_unique': help(
    'Another user of the tenant has this `userName`, or another group this `displayName`.',
    'Look it up with a filter and change that one.',
  ),
  'scim.too_many': help(
    'The list is too long to be searched this way, or the request changes too many members at once.',
    'Filter by `userName` or `externalId`; change members in several requests.',
  ),
  'authorization.invalid': help(
    'The authorization endpoint was asked by a client it does not know, or to answer to a redirect URI that is not registered for it. Nobody is sent anywhere then.',
    'Compare `client_id` and `redirect_uri` with the client; the URI counts byte for byte.',
  ),
  'callback.invalid': help(
    "The identity provider's answer belongs to no sign-in of this browser, was used before, came too late, or is not what the provider signed for this sign-in.",
    'Start again at the application. If it happens again, the log line of the request has the reason.',
  ),
  'logout.invalid': help(
    'The logout token is not signed by the connection’s provider, not for this client, not of now, or was sent before.',
    'Compare issuer, client id and algorithm of the connection with the provider’s settings.',
  ),
  'issuer.invalid': help(
    'The discovery document of the issuer cannot be read from the public internet over https, names another issuer or endpoint that cannot be called, or the issuer serves many organisations and none is said.',
    'Send the issuer exactly as its `/.well-known/openid-configuration` has it, slash at the end included.',
  ),
  'domain.invalid': help(
    'The name is no domain of one organisation: an address, a name without a dot, a public suffix, a mail provider for everybody.',
    'Send the domain of your own e-mail addresses.',
  ),
  'domain.unproven': help(
    'The TXT record is not there, or a connection names a domain that was not proven before.',
    'Set the record that the answer of `POST …/domains` shows, wait until DNS has it, and ask again.',
  ),
  'domain.taken': help(
    'The record is there, and the domain was proven for another account before.',
    'Contact support: a domain belongs to one tenant.',
  ),
  'tier.required': help(
    'The tier of the tenant does not include this feature.',
    'Change the tier of the tenant, or do without.',
  ),
  'connection.limit_reached': help(
    'The tenant has as many connections as its tier allows.',
    'Delete one, or change the tier.',
  ),
  'connection.id_taken': help(
    'The tenant has a connection with this id.',
    'Choose another id, or leave it out.',
  ),
  'event.malformed': help(
    'The event is not CloudEvents 1.0, or its data does not match the contract of its type. On a topic it is in quarantine.',
    'Correct the publisher (`docs/events.md`), then redrive or delete the event.',
  ),
  'event.unknown_type': help(
    'The type does not belong on this topic.',
    'Publish it on the topic that `docs/events.md` names.',
  ),
  'event.tenant_mismatch': help(
    'Subject, `tenantid`, data and message attributes name more than one tenant. Treated as an attack: it is kept and logged.',
    'Find out who published it. Redrive only after that.',
  ),
  'event.id_reused': help(
    'An event of this source and id was applied before, with other content or for another tenant.',
    'The producer has to give every event its own id.',
  ),
  'tenant.id_taken': help(
    'A tenant has, had, or can never have this id; ids are not used again.',
    'Choose another id.',
  ),
  'tenant.state_conflict': help(
    'The tenant, or its running operation, is in a state in which this cannot be done.',
    'Read the tenant; wait for its operation to end, or do what its state allows.',
  ),
  'tenant.revision_conflict': help(
    'The tenant is no longer at the revision that the request expects.',
    'Read it again and decide again.',
  ),
  'tenant.legal_hold': help(
    'Somebody has put the tenant under legal hold: nothing of it may be deleted.',
    'Ask whoever ordered the hold. An operator ends it with `DELETE …/legal-hold`; the purge is then approved anew.',
  ),
  'purge.same_approver': help(
    'A purge takes two people. Two machines that one person answers for are that person.',
    'Let another operator approve it.',
  ),
  'purge.person_unknown': help(
    'The token belongs to a machine that nobody answers for, or to somebody who acts for another.',
    'Approve it signed in yourself, or with an operator’s own client.',
  ),
  'dead_letter.not_found': help(
    'The message was settled already, or somebody is looking at it: Pub/Sub lends each to one at a time and does not say which it was. Those behind the first 1,000 of a topic are not found either.',
    'Ask again after ten seconds. If the list does not show it either, it is settled; the audit of the operators says by whom.',
  ),
  ...BILLING_REFUSAL_HELP,
  'cluster.refused': help(
    'The Kubernetes API refused an object, and will refuse it again.',
    'Operators: the operation names the step and the reason; correct it and retry the operation.',
  ),
  'overload.shed': help(
    'The instance has all the work it can hold.',
    'Try again after `Retry-After`, with growing pauses.',
  ),
  'rate.limited': help(
    'More requests than the tier, or this address, may make.',
    'Try again after `Retry-After`, with growing pauses.',
  ),
  'service.unavailable': help(
    'Something we depend on did not answer. The request may have had its effect.',
    'Repeat it with the same `Idempotency-Key`, with growing pauses.',
  ),
  'internal.error': help(
    'Something failed on our side; the log has it under the request id.',
    'Repeat once with the same `Idempotency-Key`; if it persists, report the request id.',
  ),
}
