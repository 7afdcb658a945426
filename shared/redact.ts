/**
 * What looks like one of our secrets or an e-mail address; a last net, not a licence to log them.
 *
 * Every repetition is bounded or starts at a word's edge, so that a long hostile text costs linear time.
 */
const SECRETS =
  /\beyJ[\w-]{8,}(?:\.[\w-]*)*|\b(?:dcs|dak|drt|dco|whsec|[rs]k_live|[rs]k_test)_[\w-]{8,}|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*|\b(?:Bearer|Basic|DPoP) [\w.~+/=-]{8,}|[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,190}/g

/** A text without what looks like a token, a key, a secret or an e-mail address. */
export function redactSecrets(text: string): string {
  return text.replace(SECRETS, '[redacted]')
}
