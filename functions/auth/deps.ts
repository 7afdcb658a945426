import type { SealAuditDeps } from '#shared/audit/seal-audit.ts'
import type { VerifyAuditDeps } from '#shared/audit/verify-audit.ts'
import type { HealthCheck } from '#shared/health.ts'
import type { Platform } from '#shared/wiring.ts'
import type { ApplyTenantFactDeps } from './operations/apply-tenant-fact.ts'
import type { AuthenticateApiKeyDeps } from './operations/authenticate-api-key.ts'
import type { AwaitRevocationsDeps } from './operations/await-revocations.ts'
import type { BeginSignInDeps } from './operations/begin-sign-in.ts'
import type { CreateClientDeps } from './operations/create-client.ts'
import type { EndIdpSessionDeps } from './operations/end-idp-session.ts'
import type { EraseTenantDeps } from './operations/erase-tenant.ts'
import type { ExportTenantDeps } from './operations/export-tenant.ts'
import type { FinishSignInDeps } from './operations/finish-sign-in.ts'
import type { GrantsDeps } from './operations/grants.ts'
import type { IntrospectDeps } from './operations/introspect-token.ts'
import type { InviteDeps } from './operations/invite.ts'
import type { KeepApiKeysDeps } from './operations/keep-api-keys.ts'
import type { KeepAuthPolicyDeps } from './operations/keep-auth-policy.ts'
import type { KeepBindingsDeps } from './operations/keep-bindings.ts'
import type { KeepClientsDeps } from './operations/keep-clients.ts'
import type { ListAuditDeps } from './operations/list-audit-events.ts'
import type { ManageConnectionsDeps } from './operations/manage-connections.ts'
import type { ManageKeysDeps } from './operations/manage-keys.ts'
import type { ManageRolesDeps } from './operations/manage-roles.ts'
import type { ManageUsersDeps } from './operations/manage-users.ts'
import type { ProveDomainDeps } from './operations/prove-domain.ts'
import type { RevokeOnRequestDeps } from './operations/revoke-on-request.ts'
import type { RevokeTokenDeps } from './operations/revoke-token.ts'
import type { ScimUsersDeps } from './operations/scim-users.ts'
import type { SignInUserDeps } from './operations/sign-in-user.ts'
import type { AccessKeyring } from './ports.ts'

/** What the handlers of this group are given: the platform, and what its operations need. */
export type AuthDeps = GrantsDeps &
  CreateClientDeps &
  KeepClientsDeps &
  KeepApiKeysDeps &
  AuthenticateApiKeyDeps &
  IntrospectDeps &
  RevokeTokenDeps &
  RevokeOnRequestDeps &
  SealAuditDeps &
  VerifyAuditDeps &
  ListAuditDeps &
  BeginSignInDeps &
  FinishSignInDeps &
  EndIdpSessionDeps &
  ManageConnectionsDeps &
  ProveDomainDeps &
  ApplyTenantFactDeps &
  KeepAuthPolicyDeps &
  KeepBindingsDeps &
  ManageKeysDeps &
  SignInUserDeps &
  ManageUsersDeps &
  ManageRolesDeps &
  AwaitRevocationsDeps &
  ScimUsersDeps &
  EraseTenantDeps &
  ExportTenantDeps &
  InviteDeps & {
    readonly platform: Platform
    readonly eventKeyring: AccessKeyring
    /** Undefined in a demo without Cloud KMS, where no personal data can be kept. */
    readonly checkKms: HealthCheck | undefined
  }
