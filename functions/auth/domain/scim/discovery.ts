import type { Resource } from './resource.ts'
import {
  type Attribute,
  ENTERPRISE_ATTRIBUTES,
  ENTERPRISE_SCHEMA,
  GROUP_ATTRIBUTES,
  GROUP_SCHEMA,
  USER_ATTRIBUTES,
  USER_SCHEMA,
} from './schema.ts'

const CORE = 'urn:ietf:params:scim:schemas:core:2.0'
export const MOST_RESULTS = 200

/** What we support of SCIM (RFC 7643 §5): no bulk, no sorting, no passwords. */
export function serviceProviderConfig(base: string): Resource {
  return {
    schemas: [`${CORE}:ServiceProviderConfig`],
    patch: { supported: true },
    bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
    filter: { supported: true, maxResults: MOST_RESULTS },
    changePassword: { supported: false },
    sort: { supported: false },
    etag: { supported: true },
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'API key',
        description: 'An API key of the tenant with the scope scim, as bearer token',
        specUri: 'https://www.rfc-editor.org/info/rfc6750',
        primary: true,
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${base}/ServiceProviderConfig` },
  }
}

export function resourceTypes(base: string): readonly Resource[] {
  const type = (name: 'User' | 'Group', schema: string, more: object = {}): Resource => ({
    schemas: [`${CORE}:ResourceType`],
    id: name,
    name,
    endpoint: `/${name}s`,
    schema,
    ...more,
    meta: { resourceType: 'ResourceType', location: `${base}/ResourceTypes/${name}` },
  })
  return [
    type('User', USER_SCHEMA, { schemaExtensions: [{ schema: ENTERPRISE_SCHEMA, required: false }] }),
    type('Group', GROUP_SCHEMA),
  ]
}

export function schemas(base: string): readonly Resource[] {
  const schema = (id: string, name: string, attributes: readonly Attribute[]): Resource => ({
    schemas: [`${CORE}:Schema`],
    id,
    name,
    attributes: attributes.map(attributeView),
    meta: { resourceType: 'Schema', location: `${base}/Schemas/${id}` },
  })
  return [
    schema(USER_SCHEMA, 'User', USER_ATTRIBUTES),
    schema(GROUP_SCHEMA, 'Group', GROUP_ATTRIBUTES),
    schema(ENTERPRISE_SCHEMA, 'EnterpriseUser', ENTERPRISE_ATTRIBUTES),
  ]
}

function attributeView(attribute: Attribute): object {
  const { subAttributes, ...view } = attribute
  return {
    ...view,
    ...(subAttributes.length === 0 ? {} : { subAttributes: subAttributes.map(attributeView) }),
    returned: 'default',
  }
}

/** One page of resources (RFC 7644 §3.4.2); `startIndex` counts from 1. */
export function listResponse(
  resources: readonly Resource[],
  totalResults: number,
  startIndex: number,
): Resource {
  return {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
    totalResults,
    startIndex,
    itemsPerPage: resources.length,
    Resources: resources,
  }
}
