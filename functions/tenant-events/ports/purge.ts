import type { ObjectStore } from '#shared/object-store.ts'
import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Signature, StoredCertificate } from '../domain/burial.ts'

export type { Burial, Signature, StoredCertificate, Tombstone } from '../domain/burial.ts'

/** The bucket that holds what is a tenant's. Names are whole, such as `exports/{tenantId}/…`. */
export type Objects = ObjectStore

/** How many documents of each kind; the kind is a path such as `auth_users` or `billing_invoices/lines`. */
export type DocumentCounts = Readonly<Record<string, number>>

export type ExportPage = {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly next: string | undefined
}

/** What lifecycle keeps of a tenant, and the proof that nobody keeps anything. */
export type OwnDocuments = {
  /**
   * Erases some of lifecycle's own documents about the tenant, in one commit: everything but the tenant's
   * own document and the operation named, which the purge needs to its end. Empty when none was left.
   */
  eraseSome(ctx: TenantContext, operationId: string): Promise<DocumentCounts>
  /**
   * Counts what anybody still has below the tenant, and nowhere else, but for the operation named. Whoever
   * wrote it: collections are asked for by walking, not by a list of those we know.
   */
  countLeft(ctx: TenantContext, operationId: string): Promise<DocumentCounts>
  /** A page of what lifecycle keeps, for the tenant's export. */
  exportPage(
    ctx: TenantContext,
    what: 'tenant' | 'operations' | 'audit',
    after: string | undefined,
  ): Promise<ExportPage>
  /** The hash over the tenant's lifecycle audit: roots of its segments, and how many there are. */
  auditRoot(ctx: TenantContext): Promise<{ readonly root: string; readonly segments: number }>
}

/** A public key as JWK (RFC 7517) and the name its signatures carry. */
export type SigningKey = {
  readonly kid: string
  /** The resource name of the key version. */
  readonly keyName: string
  readonly jwk: { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
}

/** Signs what leaves us as evidence; the private key never leaves Cloud KMS. Throws when it cannot. */
export type Signer = {
  sign(bytes: Uint8Array): Promise<Signature>
  /** The key that signs now. */
  key(): Promise<SigningKey>
  /** All keys whose signatures are to be believed, the one that signs now first. */
  keys(): Promise<readonly SigningKey[]>
}

/** Certificates of tenants that are gone. */
export type Certificates = {
  find(tenantId: string): Promise<StoredCertificate | undefined>
}

/** What leaving needs of the world, beside the cluster and the cloud. */
export type PurgePorts = {
  /** Undefined where no bucket is set up: then nobody can export. */
  readonly objects: Objects | undefined
  readonly documents: OwnDocuments
  readonly signer: Signer
  readonly certificates: Certificates
}
