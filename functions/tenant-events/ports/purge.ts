import type { TenantContext } from '#shared/tenancy/context.ts'
import type { Signature, StoredCertificate } from '../domain/burial.ts'

export type { Burial, Signature, StoredCertificate, Tombstone } from '../domain/burial.ts'

/** One version of an object in the bucket; `live` is the current one of its name. */
export type ObjectVersion = {
  readonly name: string
  readonly generation: string
  readonly bytes: number
  /** Base64 of the CRC32C, as the store computed it. */
  readonly crc32c: string
  readonly live: boolean
  readonly updatedAt: string
}

export type VersionPage = {
  readonly versions: readonly ObjectVersion[]
  /** Opaque; undefined on the last page. */
  readonly next: string | undefined
}

/**
 * The bucket that holds what is a tenant's. Names are whole, such as `exports/{tenantId}/…`; every method
 * throws when the store does not answer, and may then have taken effect.
 */
export type Objects = {
  readonly bucket: string
  /** Writes an object that is never changed: one of this name is left as it is. */
  put(name: string, bytes: Uint8Array, contentType: string): Promise<void>
  /** The whole live object; undefined when there is none. */
  read(name: string): Promise<Uint8Array | undefined>
  /** What is known of the live object, without its bytes. */
  find(name: string): Promise<ObjectVersion | undefined>
  /** Joins at most 32 objects to one that is never changed: one of this name is left as it is. */
  compose(name: string, parts: readonly string[], contentType: string): Promise<void>
  /** All versions, old ones too, of the objects whose names begin so. */
  listVersions(prefix: string, after: string | undefined): Promise<VersionPage>
  /** Deletes this very version for good. Missing is success. */
  deleteVersion(name: string, generation: string): Promise<void>
}

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
