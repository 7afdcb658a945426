export type Signature = {
  readonly alg: 'ES256'
  readonly kid: string
  /** Base64url of r and s, as JOSE writes them (RFC 7518 §3.4). */
  readonly value: string
}

/** What stays of an id that was purged: that it is never given again. */
export type Tombstone = {
  readonly tenantId: string
  readonly operationId: string
  readonly certificateId: string
  readonly purgedAtMs: number
}

/** A deletion certificate as it is stored and handed out: the text that was signed, and its signature. */
export type StoredCertificate = {
  readonly certificateId: string
  readonly tenantId: string
  readonly issuedAtMs: number
  /** Canonical JSON (RFC 8785), the very bytes that were signed. */
  readonly certificate: string
  readonly signature: Signature
}

/** What becomes true with the last commit of a purge, in which the tenant's document goes. */
export type Burial = {
  readonly tombstone: Tombstone
  readonly certificate: StoredCertificate
}
