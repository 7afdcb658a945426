import {
  any,
  atomicStruct,
  int,
  intOrText,
  list,
  map,
  quantity,
  type Schema,
  struct,
  text,
} from './schema.ts'

/** The specs of the kinds a tenant's namespace is made of. */
export const selector: Schema = atomicStruct({
  matchLabels: map(text),
  matchExpressions: list(struct({ key: text, operator: text, values: list(text) })),
})

export const networkPolicyPeer = struct({
  podSelector: selector,
  namespaceSelector: selector,
  ipBlock: struct({ cidr: text, except: list(text) }),
})
export const networkPolicyPort = struct({ port: intOrText, endPort: int, protocol: text })

export const rbacRule = struct({
  apiGroups: list(text),
  resources: list(text),
  resourceNames: list(text),
  nonResourceURLs: list(text),
  verbs: list(text),
})
export const roleRef = atomicStruct({ apiGroup: text, kind: text, name: text })
export const subjects = list(struct({ apiGroup: text, kind: text, name: text, namespace: text }))

export const limitRangeItem = struct({
  type: text,
  default: map(quantity),
  defaultRequest: map(quantity),
  min: map(quantity),
  max: map(quantity),
  maxLimitRequestRatio: map(quantity),
})

export const claimSpec = struct({
  accessModes: list(text),
  selector,
  resources: struct({ limits: map(quantity), requests: map(quantity) }),
  volumeName: text,
  storageClassName: text,
  volumeMode: text,
  dataSource: any,
  dataSourceRef: any,
  volumeAttributesClassName: text,
})
