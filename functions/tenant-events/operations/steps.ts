import type { StepKey } from '#shared/catalogue/operation-steps.ts'
import { activate } from './steps/activate.ts'
import { allocatePlacement } from './steps/allocate-placement.ts'
import { applyGuardrails } from './steps/apply-guardrails.ts'
import { applyIdentity } from './steps/apply-identity.ts'
import { applyLimits } from './steps/apply-limits.ts'
import { applyNamespace } from './steps/apply-namespace.ts'
import { applyStorage } from './steps/apply-storage.ts'
import { awaitErased } from './steps/await-erased.ts'
import { awaitKeyDestroyed } from './steps/await-key-destroyed.ts'
import { bindIdentity, revokeAccess } from './steps/bind-identity.ts'
import { chargeTier } from './steps/charge-tier.ts'
import { cleanExport } from './steps/clean-export.ts'
import { commitTier } from './steps/commit-tier.ts'
import { confirmPurge } from './steps/confirm-purge.ts'
import { createKey } from './steps/create-key.ts'
import { deleteBackups } from './steps/delete-backups.ts'
import { deleteCluster } from './steps/delete-cluster.ts'
import { deleteKey } from './steps/delete-key.ts'
import { deleteNamespace } from './steps/delete-namespace.ts'
import { deleteObjects } from './steps/delete-objects.ts'
import { deleteSecrets } from './steps/delete-secrets.ts'
import { drainSlots } from './steps/drain-slots.ts'
import { drainWorkflows } from './steps/drain-workflows.ts'
import { ensureCluster } from './steps/ensure-cluster.ts'
import { ensureSecrets } from './steps/ensure-secrets.ts'
import { eraseDocuments } from './steps/erase-documents.ts'
import { fitStorage } from './steps/fit-storage.ts'
import { issueCertificate } from './steps/issue-certificate.ts'
import { packArchive } from './steps/pack-archive.ts'
import { precheckTier } from './steps/precheck-tier.ts'
import { prepareBilling } from './steps/prepare-billing.ts'
import { proveVolumesGone } from './steps/prove-volumes-gone.ts'
import { correctDrift, detectDrift } from './steps/reconcile.ts'
import { registerBackup } from './steps/register-backup.ts'
import { releaseWorkloads } from './steps/release-workloads.ts'
import { removeWorkloads } from './steps/remove-workloads.ts'
import { requestExport } from './steps/request-export.ts'
import { sealArchive } from './steps/seal-archive.ts'
import { seedConfig } from './steps/seed-config.ts'
import { shredKey } from './steps/shred-key.ts'
import type { Step } from './steps/step.ts'
import {
  allowEgress,
  denyEgress,
  freezePods,
  restartWorkloads,
  stopTenantPods,
  thawPods,
} from './steps/suspension.ts'
import { verifyIsolation } from './steps/verify-isolation.ts'
import { verifyTier } from './steps/verify-tier.ts'
import { writeOwnPart } from './steps/write-own-part.ts'

/** What each step of the plans does. */
export const STEPS: Readonly<Record<StepKey, Step>> = {
  'prepare-billing': prepareBilling,
  'allocate-placement': allocatePlacement,
  'create-key': createKey,
  'ensure-cluster': ensureCluster,
  'apply-namespace': applyNamespace,
  'apply-guardrails': applyGuardrails,
  'apply-identity': applyIdentity,
  'ensure-secrets': ensureSecrets,
  'bind-identity': bindIdentity,
  'apply-storage': applyStorage,
  'seed-config': seedConfig,
  'release-workloads': releaseWorkloads,
  'verify-isolation': verifyIsolation,
  'register-backup': registerBackup,
  activate,
  'precheck-tier': precheckTier,
  'charge-tier': chargeTier,
  'drain-slots': drainSlots,
  'apply-limits': applyLimits,
  'fit-storage': fitStorage,
  'verify-tier': verifyTier,
  'commit-tier': commitTier,
  'freeze-pods': freezePods,
  'drain-workflows': drainWorkflows,
  'stop-pods': stopTenantPods,
  'deny-egress': denyEgress,
  'allow-egress': allowEgress,
  'thaw-pods': thawPods,
  'restart-workloads': restartWorkloads,
  'remove-workloads': removeWorkloads,
  'delete-namespace': deleteNamespace,
  'prove-volumes-gone': proveVolumesGone,
  'delete-backups': deleteBackups,
  'detect-drift': detectDrift,
  'correct-drift': correctDrift,
  'revoke-access': revokeAccess,
  'delete-secrets': deleteSecrets,
  'shred-key': shredKey,
  'delete-cluster': deleteCluster,
  'await-key-destroyed': awaitKeyDestroyed,
  'delete-key': deleteKey,
  'confirm-purge': confirmPurge,
  'await-erased': awaitErased,
  'erase-documents': eraseDocuments,
  'delete-objects': deleteObjects,
  'issue-certificate': issueCertificate,
  'request-export': requestExport,
  'write-own-part': writeOwnPart,
  'pack-archive': packArchive,
  'seal-archive': sealArchive,
  'clean-export': cleanExport,
}
