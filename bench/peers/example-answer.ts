/** As long as our answer of a token endpoint, so that peers send as many bytes. */
export const EXAMPLE_ANSWER = Buffer.from(
  JSON.stringify({
    access_token: 'x'.repeat(640),
    token_type: 'Bearer',
    expires_in: 600,
    scope: 'usage:read usage:write',
  }),
)
