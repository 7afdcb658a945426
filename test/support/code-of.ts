/** What a call came to: `ok`, or the gRPC code it failed with. */
export async function codeOf(call: Promise<unknown> | (() => Promise<unknown>)): Promise<unknown> {
  try {
    await (typeof call === 'function' ? call() : call)
    return 'ok'
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : String(error)
  }
}
