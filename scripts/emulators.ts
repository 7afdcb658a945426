import { findGoogleEmulators } from '#local/engine/google.ts'

/** Says whether Google's emulators can run on this machine; exits 0 if they can. */
const found = await findGoogleEmulators()
console.log(
  found.found ? "Google's emulators can run here." : `Google's emulators cannot run here: ${found.reason}.`,
)
process.exitCode = found.found ? 0 : 1
