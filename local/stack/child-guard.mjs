// Loaded into every process the stack starts: a child whose parent was killed must not live on.
process.stdin.on('end', () => process.exit(0))
process.stdin.on('error', () => process.exit(0))
process.stdin.resume()
process.stdin.unref?.()
