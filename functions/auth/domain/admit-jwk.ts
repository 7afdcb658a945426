/** Every function needs it for DPoP, so it lives with the tokens. */
export * from '#shared/tokens/admit-jwk.ts'
