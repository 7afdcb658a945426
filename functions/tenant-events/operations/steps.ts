import type { StepKey } from '../domain/plans.ts'
import { activate } from './steps/activate.ts'
import { allocatePlacement } from './steps/allocate-placement.ts'
import { applyGuardrails } from './steps/apply-guardrails.ts'
import { applyIdentity } from './steps/apply-identity.ts'
import { applyNamespace } from './steps/apply-namespace.ts'
import { prepareBilling } from './steps/prepare-billing.ts'
import type { Step } from './steps/step.ts'

/** What each step of the plans does. */
export const STEPS: Readonly<Record<StepKey, Step>> = {
  'prepare-billing': prepareBilling,
  'allocate-placement': allocatePlacement,
  'apply-namespace': applyNamespace,
  'apply-guardrails': applyGuardrails,
  'apply-identity': applyIdentity,
  activate,
}
